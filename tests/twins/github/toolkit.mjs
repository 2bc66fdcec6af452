// GitHub's own toolkit for artifacts and caches against the twin.
//
// `interop.sh` starts the twin and runs this with the variables that a runner sets.
import assert from "node:assert/strict";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { url, seeded } = JSON.parse(process.env.TWIN);
const [{ id: runId, runtime_token: token }] = seeded.runs;
const directory = await mkdtemp(join(tmpdir(), "twin-toolkit-"));
Object.assign(process.env, {
  ACTIONS_RESULTS_URL: `${url}/`,
  ACTIONS_RUNTIME_TOKEN: token,
  ACTIONS_CACHE_SERVICE_V2: "true",
  GITHUB_SERVER_URL: "https://github.com",
  GITHUB_API_URL: url,
  GITHUB_RUN_ID: String(runId),
  GITHUB_REPOSITORY: "ada/churn",
  GITHUB_RETENTION_DAYS: "30",
  GITHUB_WORKSPACE: directory,
  RUNNER_TEMP: directory,
});
process.chdir(directory);
// The toolkit leaves the version of the API to GitHub.
const settings = { method: "POST", body: JSON.stringify({ is_version_required: false }) };
assert.equal((await fetch(`${url}/_twin/settings`, settings)).status, 200);

const { DefaultArtifactClient } = await import("@actions/artifact");
const cache = await import("@actions/cache");

try {
  await writeFile("report.json", '{"passed": true}');
  // Larger than one block, so that a list of blocks is committed.
  const large = Buffer.alloc(20 * 1024 * 1024, "model");
  await writeFile("model.bin", large);
  const client = new DefaultArtifactClient();
  const made = await client.uploadArtifact("mlops-report", ["report.json", "model.bin"], directory, { compressionLevel: 0 });
  assert.ok(made.id > 0 && made.size > large.length);
  await assert.rejects(client.uploadArtifact("mlops-report", ["report.json"], directory), /already exists/);
  const { artifact } = await client.getArtifact("mlops-report");
  assert.equal(artifact.digest, `sha256:${made.digest}`);
  await mkdir("own");
  await client.downloadArtifact(artifact.id, { path: "own", expectedHash: artifact.digest });
  assert.equal(await readFile("own/report.json", "utf8"), '{"passed": true}');
  console.log("toolkit: an artifact of the own run");

  // The way of another workflow: over REST, with a redirect to a signed address.
  const findBy = { token: seeded.tokens[0], workflowRunId: runId, repositoryOwner: "ada", repositoryName: "churn" };
  const other = await client.getArtifact("mlops-report", { findBy });
  await mkdir("other");
  await client.downloadArtifact(other.artifact.id, { path: "other", findBy });
  assert.ok((await readFile("other/model.bin")).equals(large));
  console.log("toolkit: an artifact of another run");

  await writeFile("report.html", "<h1>passed</h1>");
  const page = await client.uploadArtifact("", ["report.html"], directory, { skipArchive: true });
  await mkdir("page");
  await client.downloadArtifact(page.id, { path: "page", findBy });
  assert.equal(await readFile("page/report.html", "utf8"), "<h1>passed</h1>");
  console.log("toolkit: a file as it is");

  await client.deleteArtifact("mlops-report");
  await assert.rejects(client.getArtifact("mlops-report"), /not found/i);
  console.log("toolkit: a deleted artifact");

  await mkdir("data");
  await writeFile("data/features.csv", "a,b\n1,2\n");
  const id = await cache.saveCache(["data"], "features-1");
  assert.ok(id > 0, String(id));
  await rm("data", { recursive: true });
  assert.equal(await cache.restoreCache(["data"], "features-2", ["features-"]), "features-1");
  assert.equal(await readFile("data/features.csv", "utf8"), "a,b\n1,2\n");
  assert.equal(await cache.restoreCache(["data"], "nothing"), undefined);
  console.log("toolkit: a cache");
} finally {
  process.chdir("/");
  await rm(directory, { recursive: true });
}
const violations = await (await fetch(`${url}/_twin/violations`)).json();
assert.deepEqual(violations, []);
