//! What the names in a pickle may do. Pure.
//!
//! A list of evil names is never complete; so the standard library is evil but for what plain values need, model
//! libraries are good but for what loads, opens or evaluates, and everything else is foreign and said to be.

use std::collections::BTreeSet;

use super::Verdict;
use super::scan::Found;
use super::stdlib::is_stdlib;
use crate::base::clean;

const MAX_SHOWN: usize = 160;
const MAX_REASONS: usize = 32;

/// Of the standard library: makers of values, which do nothing else. Sorted by module.
const PLAIN: &[(&str, &[&str])] = &[
    ("_codecs", &["encode"]),
    ("array", &["array", "_array_reconstructor"]),
    (
        "builtins",
        &[
            "object",
            "bool",
            "int",
            "float",
            "complex",
            "str",
            "bytes",
            "bytearray",
            "list",
            "tuple",
            "dict",
            "set",
            "frozenset",
            "range",
            "slice",
            "type",
            "NoneType",
            "Ellipsis",
            "NotImplemented",
            "Exception",
            "ValueError",
            "TypeError",
            "KeyError",
            "IndexError",
            "RuntimeError",
            "Warning",
            "UserWarning",
            "FutureWarning",
            "long",
            "unicode",
            "xrange",
        ],
    ),
    ("calendar", &["Day", "Month"]),
    (
        "collections",
        &["OrderedDict", "defaultdict", "deque", "Counter", "ChainMap"],
    ),
    ("copyreg", &["_reconstructor", "__newobj__", "__newobj_ex__"]),
    (
        "datetime",
        &["date", "datetime", "time", "timedelta", "timezone", "tzinfo"],
    ),
    ("decimal", &["Decimal"]),
    ("fractions", &["Fraction"]),
    ("ipaddress", &["IPv4Address", "IPv6Address"]),
    ("itertools", &["count", "chain"]),
    ("math", &["inf", "log", "exp", "sqrt"]),
    ("operator", &["itemgetter"]),
    (
        "pathlib",
        &[
            "PurePath",
            "PurePosixPath",
            "PureWindowsPath",
            "Path",
            "PosixPath",
            "WindowsPath",
        ],
    ),
    ("pathlib._local", &["PosixPath", "PurePosixPath", "Path"]),
    ("random", &["Random"]),
    ("re", &["_compile"]),
    ("types", &["SimpleNamespace"]),
    ("uuid", &["UUID", "SafeUUID"]),
    ("zoneinfo", &["ZoneInfo", "ZoneInfo._unpickle"]),
];

/// Top names of what models and their data are made of.
const LIBRARIES: &[&str] = &[
    "catboost",
    "category_encoders",
    "dateutil",
    "imblearn",
    "joblib",
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "pytz",
    "scipy",
    "sklearn",
    "skops",
    "statsmodels",
    "torch",
    "torchvision",
    "xgboost",
];

/// Not of the standard library, and made to run code, programs or requests.
const TOOLS: &[&str] = &[
    "aiohttp",
    "cloudpickle",
    "dill",
    "httpx",
    "invoke",
    "IPython",
    "paramiko",
    "pexpect",
    "pip",
    "pkg_resources",
    "psutil",
    "ptyprocess",
    "requests",
    "setuptools",
    "sh",
    "sympy",
    "urllib3",
    "win32api",
    "winreg",
];

/// Parts of a library that run code, programs or requests, or lead to other modules.
const RISKY_PARTS: &[&str] = &[
    "_datasource",
    "_dynamo",
    "_format_impl",
    "_inductor",
    "_npyio_impl",
    "_testing",
    "bottleneck",
    "cloudpickle",
    "collect_env",
    "computation",
    "cpp_extension",
    "ctypeslib",
    "distributed",
    "distutils",
    "externals",
    "f2py",
    "format",
    "fx",
    "hub",
    "io",
    "multiprocessing",
    "npyio",
    "package",
    "testing",
    "tests",
    "util_common",
];

/// Names in a library that load, open, evaluate or look up.
const RISKY_NAMES: &[&str] = &[
    "attrgetter",
    "call",
    "check_call",
    "check_output",
    "compile",
    "datasource",
    "delattr",
    "eval",
    "exec",
    "exec_command",
    "execfile",
    "execwrapper",
    "fromfile",
    "genfromtxt",
    "getattr",
    "getlincoef",
    "import_module",
    "importorskip",
    "memmap",
    "methodcaller",
    "myeval",
    "partial",
    "popen",
    "query",
    "run",
    "run_command",
    "rundocs",
    "runstring",
    "setattr",
    "system",
    "to_csv",
    "to_feather",
    "to_hdf",
    "to_json",
    "to_parquet",
    "to_pickle",
    "to_sql",
    "tofile",
    "vars",
];

/// Beginnings of such names.
const RISKY_BEGINNINGS: &[&str] = &[
    "exec", "load", "open", "popen", "read_", "run_", "save", "spawn", "system",
];

/// Python 3 names of Python 2 modules, as `pickle` maps them.
pub fn modern_module(module: &str) -> &str {
    match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        "cPickle" => "pickle",
        "UserDict" | "UserList" => "collections",
        other => other,
    }
}

/// Letters, digits and underscores in parts that dots join.
fn is_identifier_path(text: &str) -> bool {
    text.split('.').all(|part| {
        part.bytes().next().is_some_and(|first| !first.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Judgement {
    Plain,
    Library(&'static str),
    Foreign(String),
    Suspicious,
}

fn judge(module: &str, name: &str) -> Judgement {
    let module = modern_module(module);
    if !is_identifier_path(module) || !is_identifier_path(name) {
        return Judgement::Suspicious;
    }
    let is_plain = PLAIN
        .iter()
        .any(|(known, names)| *known == module && names.contains(&name));
    if is_plain {
        return Judgement::Plain;
    }
    let top = module.split('.').next().unwrap_or_default();
    // From protocol 4 on a name may lead on through attributes, to whatever a module has imported itself.
    let mut parts = name.split('.');
    let is_detour = parts.any(|part| is_stdlib(part) || (part.starts_with("__") && part.ends_with("__")));
    let is_known_ending = is_library_maker(name);
    if top != "__main__" && (is_stdlib(top) || TOOLS.contains(&top)) || (is_detour && !is_known_ending) {
        return Judgement::Suspicious;
    }
    let Some(library) = LIBRARIES.iter().find(|library| **library == top) else {
        return Judgement::Foreign(top.to_owned());
    };
    let is_risky_part = module.split('.').skip(1).any(|part| RISKY_PARTS.contains(&part));
    let is_risky_name = name.split('.').any(|part| {
        let lower = part.to_ascii_lowercase();
        let lower = lower.trim_start_matches('_');
        RISKY_NAMES.contains(&lower) || RISKY_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning))
    });
    if is_risky_part || is_risky_name {
        Judgement::Suspicious
    } else {
        Judgement::Library(library)
    }
}

/// Functions of numpy with names like Python's own internals.
fn is_library_maker(name: &str) -> bool {
    matches!(
        name,
        "__randomstate_ctor" | "__generator_ctor" | "__bit_generator_ctor" | "random" | "array" | "calendar"
    ) || name.starts_with("__pyx_unpickle_")
}

/// The verdict on everything that was found; suspicions beside the names are in `found` already.
pub fn verdict(found: &Found) -> Verdict {
    let mut libraries = BTreeSet::new();
    let mut modules = BTreeSet::new();
    let mut what: Vec<String> = Vec::new();
    for (module, name) in &found.globals {
        match judge(module, name) {
            Judgement::Plain => {}
            Judgement::Library(library) => {
                libraries.insert(library.to_owned());
            }
            Judgement::Foreign(top) => {
                modules.insert(clean(&top, MAX_SHOWN));
            }
            Judgement::Suspicious => {
                what.push(format!(
                    "it reaches for `{}`",
                    clean(&format!("{module}.{name}"), MAX_SHOWN)
                ));
            }
        }
    }
    what.extend(found.suspicions.iter().map(|text| clean(text, 2 * MAX_SHOWN)));
    what.truncate(MAX_REASONS);
    if !what.is_empty() {
        Verdict::Suspicious { what }
    } else if !modules.is_empty() {
        Verdict::Foreign {
            modules: modules.into_iter().collect(),
        }
    } else if libraries.is_empty() {
        Verdict::Plain
    } else {
        Verdict::Model {
            libraries: libraries.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        for (module, name, expected) in [
            ("builtins", "set", "plain"),
            ("__builtin__", "set", "plain"),
            ("collections", "OrderedDict", "plain"),
            ("sklearn.linear_model._ridge", "Ridge", "sklearn"),
            ("numpy._core.multiarray", "_reconstruct", "numpy"),
            ("numpy.core.multiarray", "scalar", "numpy"),
            ("numpy.random._pickle", "__randomstate_ctor", "numpy"),
            ("sklearn.tree._tree", "Tree", "sklearn"),
            ("sklearn.utils._bunch", "Bunch", "sklearn"),
            ("sklearn._loss._loss", "__pyx_unpickle_CyHalfSquaredError", "sklearn"),
            ("torch._utils", "_rebuild_tensor_v2", "torch"),
            ("torch", "FloatStorage", "torch"),
            ("xgboost.core", "Booster", "xgboost"),
            ("__main__", "Squares", "foreign"),
            ("features.steps", "Squares", "foreign"),
            ("os", "system", "suspicious"),
            ("posix", "system", "suspicious"),
            ("nt", "system", "suspicious"),
            ("subprocess", "Popen", "suspicious"),
            ("__builtin__", "eval", "suspicious"),
            ("builtins", "getattr", "suspicious"),
            ("builtins", "exec", "suspicious"),
            ("commands", "getoutput", "suspicious"),
            ("functools", "partial", "suspicious"),
            ("operator", "attrgetter", "suspicious"),
            ("importlib", "import_module", "suspicious"),
            ("shutil", "rmtree", "suspicious"),
            ("webbrowser", "open", "suspicious"),
            ("pty", "spawn", "suspicious"),
            ("bdb", "Bdb.run", "suspicious"),
            ("numpy.f2py.crackfortran", "myeval", "suspicious"),
            ("numpy.testing._private.utils", "runstring", "suspicious"),
            ("numpy.lib._utils_impl", "os.system", "suspicious"),
            ("sklearn.base", "__class__.__base__", "suspicious"),
            (
                "joblib.externals.cloudpickle.cloudpickle",
                "_make_function",
                "suspicious",
            ),
            ("torch.hub", "load", "suspicious"),
            ("torch.serialization", "load", "suspicious"),
            ("pandas", "read_pickle", "suspicious"),
            ("pandas.core.frame", "DataFrame.to_pickle", "suspicious"),
            ("torch.storage", "_load_from_bytes", "suspicious"),
            ("features.steps", "os.system", "suspicious"),
            ("cloudpickle.cloudpickle", "_make_function", "suspicious"),
            ("\u{43e}s", "system", "suspicious"),
            ("", "", "suspicious"),
        ] {
            let found = match judge(module, name) {
                Judgement::Plain => "plain",
                Judgement::Library(library) => library,
                Judgement::Foreign(_) => "foreign",
                Judgement::Suspicious => "suspicious",
            };
            assert_eq!(found, expected, "{module} {name}");
        }
    }

    #[test]
    fn the_standard_library_is_known_by_its_top_names() {
        assert!(is_stdlib("os") && is_stdlib("builtins") && !is_stdlib("sklearn"));
    }
}
