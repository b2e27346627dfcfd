//! What the manual says beside the help: what holds for all verbs, and what others rely on.

/// What a word or a file is called, and what there is to say of it.
pub(super) type Said = (&'static str, &'static str);

pub(super) const ABOUT: [&str; 3] = [
    "oma keeps what programs cache at run time in one store. Equal files are stored once; an owner, such as a \
     package, binds names to artifacts, which are files and directories known by the hash of their content; what \
     no owner, lease or pin keeps is removed by gc after a delay.",
    "A REF is a hash, a unique prefix of one with six digits or more, OWNER:NAME, or a NAME with --owner. Durations \
     are written 90s, 15m, 12h, 7d or 2w, sizes 500MB, 1.25GB or 10GiB.",
    "Standard output carries data only; talk, progress and warnings go to standard error. With --json it is one \
     document: sizes in bytes, times in RFC 3339 and UTC, hashes of 64 digits, null for what is absent.",
];

pub(super) const EXIT_CODES: [Said; 10] = [
    ("0", "Done."),
    ("1", "Failed."),
    ("2", "The request is wrong, or it would have to ask and cannot; -y says yes."),
    ("3", "Not found."),
    ("4", "Damage was found."),
    ("5", "A conflict: the name is bound already, or the plan is of another store."),
    ("6", "Another process is at work, and --wait is over."),
    ("7", "Out of space, or over an owner's hard budget."),
    ("8", "Done in part."),
    ("130", "Interrupted."),
];

pub(super) const ENVIRONMENT: [Said; 11] = [
    ("OMA_STORE", "The store's folder, unless --store gives it."),
    ("OMA_OWNER", "Whose names are meant, unless --owner says so."),
    ("XDG_DATA_HOME", "Where the store lies without either: in its folder ohmyartifacts. Default: ~/.local/share."),
    ("XDG_CONFIG_HOME", "Where the user's own ohmyartifacts/config.toml lies. Default: ~/.config."),
    ("NO_COLOR", "If it is set and not empty, nothing is coloured; --color says otherwise."),
    ("JULIA_DEPOT_PATH", "Where Julia's packages and artifacts are. Default: ~/.julia."),
    ("OMA_WORKDIR", "Set for the command of create and get: the folder whose content is kept."),
    ("OMA_LEASE", "Set for the command of lease run: the session that protects what is used in it."),
    ("OMA_LEASE_HOLDER", "Set for the command of lease run: who holds its leases, for people."),
    ("COMPLETE", "The shell that asks for completion, see oma-completions(1)."),
    ("OMA_TEST_NOW", "Fixes the clock at a time in RFC 3339. For tests."),
];

/// Of a store, below its folder.
pub(super) const FILES: [Said; 9] = [
    ("artifacts/", "Files, and directories whose files are links to such files, by hash; read-only."),
    ("executables/", "Files with the execute bit, by hash; read-only."),
    ("index.sqlite", "Objects, owners, bindings, leases and pins."),
    ("bindings.journal", "Every bind and unbind, one JSON record a line."),
    ("attached/", "Mirrors of the stores it follows; they can be thrown away."),
    ("config.toml", "How this store is cleaned up, see oma-config(1)."),
    ("tmp/", "Work in progress."),
    ("trash/", "What gc is about to delete, or keeps so that oma gc undo brings it back."),
    ("reserve", "Up to 8 MiB set aside, so that gc works on a full disk."),
];

/// What it is for, and the command.
pub(super) const EXAMPLES: [Said; 8] = [
    ("Put a directory in and give it a name:", "oma -o iris-demo add flowers --bind data"),
    (
        "Print the path of an artifact; make it first if it is missing:",
        "oma -o model-zoo@1.2 get weights --result w.bin -- sh -c 'seq 100000 > w.bin'",
    ),
    ("Use what another owner has:", "oma -o model-zoo@1.2 bind training iris-demo:data"),
    ("See who uses how much, and what keeps a thing:", "oma usage\noma why iris-demo:data"),
    ("Protect what a job uses for as long as it runs:", "oma lease run iris-demo:data -- make test"),
    ("See what would go, then let it go, so that it can be had back for two weeks:", "oma gc -n\noma gc --trash 14d"),
    ("Read the manual without installing it:", "oma man gc | man -l -"),
    ("Install the manual for yourself:", "oma man --dir ~/.local/share/man/man1"),
];
