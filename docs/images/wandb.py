"""Makes pages of what a twin of W&B keeps, in the words of W&B, for pictures: the registry of a model, and a run.

    python3 wandb.py SNAPSHOT_URL registry.html run.html
"""

import html
import json
import sys
import urllib.request

STYLE = """<style>
body { font: 15px/1.5 'Liberation Sans', Arial, sans-serif; margin: 24px; color: #1a1c1f; background: #fff }
h1 { font-size: 21px; margin: 0 0 2px } h2 { font-size: 16px; margin: 22px 0 6px }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 5px 10px; border-bottom: 1px solid #e3e6ea; vertical-align: top }
th { color: #5d6570; font-weight: 600 } code { font: 13px 'Liberation Mono', monospace } .tag { background: #e4f0fb; color: #0b4f8a; border-radius: 9px; padding: 1px 9px; margin-right: 5px }
.production { background: #ddf4e4; color: #10622f } p { margin: 0; color: #5d6570 }
</style>"""


def text(value):
    return html.escape(str(value))


def table(heads, rows):
    head = "".join(f"<th>{text(one)}</th>" for one in heads)
    return f"<table><tr>{head}</tr>{''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)}</table>"


def aliases(version):
    return "".join(f"<span class='tag {text(alias)}'>{text(alias)}</span>" for alias in version["aliases"])


def registry(projects):
    place = next(name for name in projects if name.endswith("wandb-registry-model"))
    name, collection = next(iter(projects[place]["collections"].items()))
    rows = []
    for version in reversed(collection["versions"]):
        about = version["metadata"]
        gates = f"{sum(one == 'pass' for one in about['gates'].values())} of {len(about['gates'])} passed"
        made = [text(version["version"]), aliases(version), f"rmse {about['metrics']['rmse']:.2f}", gates, text(about["reason"])]
        rows.append(made)
    ledger = next(one for project in projects.values() for key, one in project["collections"].items() if key.endswith("-ledger"))
    moves = [
        [text(line["version"]), text(line["metadata"]["alias"]), f"{text(line['metadata']['from'])} → {text(line['metadata']['to'])}",
         text(line["metadata"]["actor"]), text(line["metadata"]["because"])]
        for line in reversed(ledger["versions"]) if "alias" in line["metadata"]
    ]  # fmt: skip
    return (
        f"{STYLE}<h1>{text(name)}</h1><p>Collection of the registry <code>model</code></p><h2>Versions</h2>"
        + table(["Version", "Aliases", "Metric", "Gates", "Evidence"], rows)
        + f"<h2>Artifact <code>{text(name)}-ledger</code></h2>"
        + table(["Line", "Alias", "Move", "Who", "Why"], moves)
    )


def run(projects):
    runs = [one for project in projects.values() for one in project["runs"].values() if one["job_type"] == "publish"]
    # The one that met production says the most.
    one = max(runs, key=lambda run: "production/rmse" in str(run["summary"]))
    summary = one["summary"] if isinstance(one["summary"], dict) else json.loads(one["summary"])
    config = one["config"] if isinstance(one["config"], dict) else json.loads(one["config"])
    numbers = [
        [f"<code>{text(key)}</code>", text(f"{value:.5g}" if isinstance(value, float) else value)]
        for key, value in sorted(summary.items()) if key.startswith(("test/", "production/", "difference/", "gate/", "verdict"))
    ]  # fmt: skip
    third = (len(numbers) + 2) // 3
    tables = [key for key, value in summary.items() if isinstance(value, dict) and value.get("_type") == "table-file" and not key.endswith("_table")]
    charts = list(config["_wandb"]["value"].get("visualize", {}))
    pictures = [key for key, value in summary.items() if isinstance(value, dict) and value.get("_type") == "image-file"]
    parts = [("Settings", [key for key in config if key != "_wandb"]), ("Tables", tables), ("Charts", charts), ("Pictures", pictures)]
    rows = [[text(name), " ".join(f"<code>{text(key)}</code>" for key in sorted(keys))] for name, keys in parts]
    parts = [numbers[start : start + third] for start in range(0, len(numbers), third)]
    columns = "".join(f"<td style='width:33%;border:0;padding:0 12px 0 0'>{table(['Summary', ''], part)}</td>" for part in parts)
    tags = "".join(f"<span class='tag'>{text(tag)}</span>" for tag in one["tags"])
    return (
        f"{STYLE}<h1>{text(one['display_name'])}</h1><p>{text(one['state'])} · {text(one['job_type'])} · {tags}</p>"
        f"<h2>What is kept</h2>{table(['', ''], rows)}<h2>Numbers</h2><table><tr>{columns}</tr></table>"
    )


def main():
    url, registry_page, run_page = sys.argv[1:]
    with urllib.request.urlopen(f"{url}/_twin/snapshot") as answer:
        projects = json.load(answer)["projects"]
    for page, made in ((registry_page, registry(projects)), (run_page, run(projects))):
        with open(page, "w", encoding="utf-8") as file:
            file.write(f"<!doctype html><meta charset='utf-8'>{made}")


if __name__ == "__main__":
    main()
