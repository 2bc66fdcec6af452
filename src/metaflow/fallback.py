import json, sys

from metaflow import Run, namespace

flow, run_id, name = sys.argv[1:]
namespace(None)


def plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


print(json.dumps(getattr(Run(flow + "/" + run_id).data, name), default=plain))
