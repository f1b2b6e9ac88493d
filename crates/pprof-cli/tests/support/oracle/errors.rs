//! Command lines that both refuse.

use super::Printed;

const CPU: &str = "data/profile/cpu_compile.pb.gz";
const HEAP: &str = "data/profile/heap_compile.pb.gz";

/// Each is another mistake.
pub(crate) const ERRORS: [&[&str]; 28] = [
    &["-top"],
    &["-top", "nothing.pb.gz"],
    &["-top", "golden/INDEX.tsv"],
    &["-top", "data/names/short.tsv"],
    &["-top", "-tree", CPU],
    &["-top", "-peek=main", CPU],
    &["-top", "-nosuchflag", CPU],
    &["-top", "-nodecount=many", CPU],
    &["-top", "-nodefraction=much", CPU],
    &["-top", "-trim=perhaps", CPU],
    &["-top", "---cum", CPU],
    &["-top", "-nodecount"],
    &["-top", "-cum", "-flat", CPU],
    &["-top", "-lines", "-files", CPU],
    &["-top", "-sample_index=heap", CPU],
    &["-top", "-sample_index=7", CPU],
    &["-top", "-sample_index=-1", CPU],
    &["-top", "-focus=(", CPU],
    &["-top", "-ignore=[z-a]", CPU],
    &["-top", "-hide=a**", CPU],
    &["-top", "-tagfocus=a=(", CPU],
    &["-top", "-tagshow=(?z)", CPU],
    &["-peek=nowhere_at_all", CPU],
    &["-peek=(", CPU],
    &["-list=x{2,1}", CPU],
    &["-top", "-divide_by=0", CPU],
    &["-top", "-normalize", CPU],
    &["-top", "-base", CPU, "-diff_base", HEAP, CPU],
];

/// Both refuse with the same code and say why; the original's reason is in ours, but where
/// docs/pprof.md says that ours is better.
pub(super) fn same(our: &Printed, their: &Printed) -> bool {
    our.code == their.code && our.code != 0 && our.out.is_empty() && !our.errors.is_empty()
}
