// GitHub's own client against the twin: what it understands, our client may rely on.
//
// `interop.sh` starts the twin and runs this with its address and the seeded scenario.
import assert from "node:assert/strict";
import { Octokit } from "octokit";

const { url, seeded } = JSON.parse(process.env.TWIN);
const [all, reader] = seeded.tokens;
const owner = "ada";
const repo = "churn";
const head = seeded.repositories["ada/churn"].refs["refs/heads/feature"];

function client(auth, baseUrl = url) {
  const octokit = new Octokit({ auth, baseUrl, retry: { enabled: false }, throttle: { enabled: false } });
  octokit.hook.before("request", (options) => {
    options.headers["x-github-api-version"] ??= "2022-11-28";
  });
  return octokit;
}

async function refused(promise, status, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, "HttpError");
    assert.equal(error.status, status, error.message);
    if (text) assert.match(error.message, text);
    return true;
  });
}

const checks = {
  async repositories() {
    for (const octokit of [client(all), client(all, `${url}/api/v3`)]) {
      const { data } = await octokit.rest.repos.get({ owner, repo });
      assert.equal(data.full_name, "ada/churn");
      assert.equal(data.default_branch, "main");
    }
  },
  async comments() {
    const octokit = client(all);
    for (let number = 0; number < 35; number++) {
      const { status } = await octokit.rest.issues.createComment({ owner, repo, issue_number: 1, body: `comment ${number}` });
      assert.equal(status, 201);
    }
    const found = await octokit.paginate(octokit.rest.issues.listComments, { owner, repo, issue_number: 1, per_page: 10 });
    assert.equal(found.length, 35);
    assert.deepEqual(found.map((one) => one.id), found.map((one) => one.id).toSorted((a, b) => a - b));
    const edited = await octokit.rest.issues.updateComment({ owner, repo, comment_id: found[0].id, body: "edited" });
    assert.equal(edited.data.body, "edited");
    await octokit.rest.issues.deleteComment({ owner, repo, comment_id: found[1].id });
    await refused(octokit.rest.issues.getComment({ owner, repo, comment_id: found[1].id }), 404);
    await refused(octokit.rest.issues.createComment({ owner, repo, issue_number: 1, body: "x".repeat(65537) }), 422, /too long/);
    const reaction = { owner, repo, comment_id: found[0].id, content: "eyes" };
    assert.equal((await octokit.rest.reactions.createForIssueComment(reaction)).status, 201);
    assert.equal((await octokit.rest.reactions.createForIssueComment(reaction)).status, 200);
    await octokit.graphql(
      "mutation($i: MinimizeCommentInput!) { minimizeComment(input: $i) { minimizedComment { isMinimized minimizedReason } } }",
      { i: { subjectId: found[0].node_id, classifier: "OUTDATED" } },
    );
    const hidden = await octokit.rest.issues.getComment({ owner, repo, comment_id: found[0].id });
    assert.equal(hidden.data.minimized.reason, "outdated");
    await assert.rejects(octokit.graphql("{ viewer { nickname } }"), { name: "GraphqlResponseError" });
    assert.equal((await octokit.graphql("{ viewer { login } }")).viewer.login, "github-actions[bot]");
  },
  async checkRuns() {
    const octokit = client(all);
    const annotation = { path: "mlops.yaml", start_line: 1, end_line: 1, annotation_level: "failure", message: "0.8 < 0.9" };
    const output = (n) => ({ title: "t", summary: "s", annotations: Array(n).fill(annotation) });
    const { data } = await octokit.rest.checks.create({ owner, repo, name: "mlops", head_sha: head, status: "in_progress", output: output(50) });
    await octokit.rest.checks.update({ owner, repo, check_run_id: data.id, conclusion: "failure", output: output(7) });
    const all57 = await octokit.paginate(octokit.rest.checks.listAnnotations, { owner, repo, check_run_id: data.id });
    assert.equal(all57.length, 57);
    const listed = await octokit.rest.checks.listForRef({ owner, repo, ref: "feature", check_name: "mlops" });
    assert.deepEqual([listed.data.total_count, listed.data.check_runs[0].conclusion], [1, "failure"]);
    await refused(client(reader).rest.checks.create({ owner, repo, name: "x", head_sha: head }), 403, /not accessible by integration/);
    await refused(octokit.rest.checks.create({ owner, repo, name: "x", head_sha: "0".repeat(40) }), 422, /No commit found/);
  },
  async git() {
    const octokit = client(all);
    const blob = await octokit.rest.git.createBlob({ owner, repo, content: "aGVsbG8K", encoding: "base64" });
    assert.equal(blob.data.sha, "ce013625030ba8dba906f756967f9e9ca394464a");
    const tree = await octokit.rest.git.createTree({
      owner,
      repo,
      tree: [
        { path: "ledger/1.json", mode: "100644", type: "blob", sha: blob.data.sha },
        { path: "ledger/2.json", mode: "100644", type: "blob", content: "{}" },
      ],
    });
    const commit = await octokit.rest.git.createCommit({ owner, repo, message: "first", tree: tree.data.sha, parents: [] });
    await octokit.rest.git.createRef({ owner, repo, ref: "refs/heads/registry", sha: commit.data.sha });
    await refused(octokit.rest.git.createRef({ owner, repo, ref: "refs/heads/registry", sha: commit.data.sha }), 422, /already exists/);
    await refused(octokit.rest.git.updateRef({ owner, repo, ref: "heads/registry", sha: head }), 422, /fast forward/);
    const next = await octokit.rest.git.createCommit({ owner, repo, message: "next", tree: tree.data.sha, parents: [commit.data.sha] });
    await octokit.rest.git.updateRef({ owner, repo, ref: "heads/registry", sha: next.data.sha });
    const ref = await octokit.rest.git.getRef({ owner, repo, ref: "heads/registry" });
    assert.equal(ref.data.object.sha, next.data.sha);
    const whole = await octokit.rest.git.getTree({ owner, repo, tree_sha: next.data.sha, recursive: "1" });
    assert.deepEqual(whole.data.tree.map((one) => one.path), ["ledger", "ledger/1.json", "ledger/2.json"]);
    const file = await octokit.rest.repos.getContent({ owner, repo, path: "ledger/1.json", ref: "registry" });
    assert.equal(Buffer.from(file.data.content, "base64").toString(), "hello\n");
    const raw = await octokit.rest.repos.getContent({ owner, repo, path: "ledger/1.json", ref: "registry", mediaType: { format: "raw" } });
    assert.equal(raw.data, "hello\n");
    const texts = await octokit.graphql(
      `query($owner: String!, $repo: String!, $expression: String!) { repository(owner: $owner, name: $repo) {
        object(expression: $expression) { ... on Tree { entries { name object { ... on Blob { oid byteSize isTruncated text } } } } } } }`,
      { owner, repo, expression: `${next.data.sha}:ledger` },
    );
    assert.deepEqual(texts.repository.object.entries.map((one) => one.object.text), ["hello\n", "{}"]);
    await refused(octokit.rest.git.getRef({ owner, repo, ref: "heads/none" }), 404);
  },
  async pulls() {
    const octokit = client(all);
    const { data } = await octokit.rest.pulls.get({ owner, repo, pull_number: 1 });
    assert.deepEqual([data.head.sha, data.mergeable, data.merged], [head, true, false]);
    const files = await octokit.paginate(octokit.rest.pulls.listFiles, { owner, repo, pull_number: 1 });
    assert.deepEqual(files.map((one) => one.filename), ["train.py"]);
    const found = await octokit.rest.repos.listPullRequestsAssociatedWithCommit({ owner, repo, commit_sha: head });
    assert.deepEqual(found.data.map((one) => one.number), [1]);
    const compared = await octokit.rest.repos.compareCommitsWithBasehead({ owner, repo, basehead: `main...${head}` });
    assert.deepEqual([compared.data.status, compared.data.ahead_by], ["ahead", 1]);
  },
  async issues() {
    const octokit = client(all);
    const made = await octokit.rest.issues.create({ owner, repo, title: "drift", body: "b", labels: ["mlops:drift"] });
    await octokit.rest.issues.update({ owner, repo, issue_number: made.data.number, state: "closed" });
    const found = await octokit.rest.issues.listForRepo({ owner, repo, labels: "mlops:drift", state: "closed" });
    assert.deepEqual(found.data.map((one) => [one.number, one.state_reason]), [[made.data.number, "completed"]]);
    await octokit.rest.issues.addLabels({ owner, repo, issue_number: 1, labels: ["model"] });
    await octokit.rest.issues.removeLabel({ owner, repo, issue_number: 1, name: "model" });
    await refused(octokit.rest.issues.removeLabel({ owner, repo, issue_number: 1, name: "model" }), 404);
    await refused(octokit.rest.issues.createLabel({ owner, repo, name: "model", color: "d73a4a" }), 422);
  },
  async permissions() {
    const octokit = client(all);
    const { data } = await octokit.rest.repos.getCollaboratorPermissionLevel({ owner, repo, username: "bob" });
    assert.deepEqual([data.permission, data.role_name], ["write", "maintain"]);
    await refused(octokit.rest.repos.getCollaboratorPermissionLevel({ owner, repo, username: "eve" }), 404);
    await refused(client("ghs_nonsense").rest.repos.get({ owner, repo }), 401, /Bad credentials/);
    await refused(octokit.rest.repos.get({ owner, repo: "none" }), 404);
  },
  async deployments() {
    const octokit = client(all);
    const made = await octokit.rest.repos.createDeployment({
      owner, repo, ref: "main", auto_merge: false, required_contexts: [], environment: "staging", payload: { model: "churn" },
    });
    await octokit.rest.repos.createDeploymentStatus({ owner, repo, deployment_id: made.data.id, state: "success", log_url: "https://example.com" });
    const statuses = await octokit.rest.repos.listDeploymentStatuses({ owner, repo, deployment_id: made.data.id });
    assert.deepEqual(statuses.data.map((one) => one.state), ["success"]);
  },
  async dispatches() {
    const octokit = client(all);
    const place = { owner, repo, workflow_id: "promote.yml", ref: "main" };
    await refused(octokit.rest.actions.createWorkflowDispatch(place), 422, /model/);
    const made = await octokit.rest.actions.createWorkflowDispatch({ ...place, inputs: { model: "churn" }, return_run_details: true });
    assert.equal(made.status, 200);
    const run = await octokit.rest.actions.getWorkflowRun({ owner, repo, run_id: made.data.workflow_run_id });
    assert.equal(run.data.event, "workflow_dispatch");
    assert.equal((await octokit.rest.repos.createDispatchEvent({ owner, repo, event_type: "retrain" })).status, 204);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`octokit: ${name}`);
}
const violations = await (await fetch(`${url}/_twin/violations`)).json();
assert.deepEqual(violations, []);
