//! Random command lines, run by `go tool pprof` and by us.
//!
//! One generator for the test with a fixed seed and for `xtask pprof-oracle`. A case
//! counts only if it prints something that no other case printed, and an option only
//! where leaving it out changes what is printed.

mod cases;
mod dice;
mod errors;
mod originals;
mod rewritten;
mod subjects;

pub(crate) use dice::Dice;
pub(crate) use errors::ERRORS;
pub(crate) use originals::{Original, Printed};

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use cases::{COMMANDS, Case, OPTIONS, draw};
use originals::ours;
use subjects::{Subject, subjects};

/// How much to compare.
pub(crate) struct Goal {
    /// Distinct outputs of each command.
    pub(crate) per_command: usize,
    /// Cases in which each option has an effect.
    pub(crate) per_option: usize,
    /// Distinct outputs in all.
    pub(crate) all: usize,
    /// How often the original runs; more than once shows where it differs from itself.
    pub(crate) runs: usize,
    /// How often we run: always the same bytes.
    pub(crate) our_runs: usize,
}

/// What came of many cases.
#[derive(Default)]
pub(crate) struct Tally {
    /// Distinct outputs that were not empty and were equal, and by command.
    pub(crate) equal: HashSet<Vec<u8>>,
    pub(crate) commands: BTreeMap<&'static str, usize>,
    /// Cases in which an option had an effect, and was equal.
    pub(crate) options: BTreeMap<&'static str, usize>,
    pub(crate) profiles: HashSet<String>,
    /// Without `-symbolize=none`, and with it.
    pub(crate) symbolized: [usize; 2],
    /// Both refused.
    pub(crate) errors: usize,
    /// The original differs from itself; rows are equal when sorted.
    pub(crate) unstable: Vec<String>,
    /// The originals differ from each other; ours is the later one's.
    pub(crate) later: Vec<String>,
    pub(crate) different: Vec<String>,
}

impl Tally {
    /// What of `goal` was not reached.
    pub(crate) fn missed(&self, goal: &Goal) -> Vec<String> {
        let mut missed = Vec::new();
        let mut bar = |what: String, got: usize, wanted: usize| {
            if got < wanted {
                missed.push(format!("{what}: {got}, wanted {wanted}"));
            }
        };
        bar("distinct outputs".to_owned(), self.equal.len(), goal.all);
        for command in COMMANDS {
            let got = self.commands.get(command).copied().unwrap_or(0);
            bar(format!("-{command}"), got, goal.per_command);
        }
        for option in OPTIONS {
            let got = self.options.get(option).copied().unwrap_or(0);
            bar(format!("option {option}"), got, goal.per_option);
        }
        bar("profiles".to_owned(), self.profiles.len(), 12.min(goal.all));
        bar("mistakes".to_owned(), self.errors, 20);
        let [symbolized, not] = self.symbolized;
        bar(
            "without -symbolize=none".to_owned(),
            symbolized,
            goal.all / 4,
        );
        bar("with -symbolize=none".to_owned(), not, goal.all / 4);
        missed
    }
}

/// A case that adds something, what it prints, and which of its options matter.
struct Chosen {
    case: Case,
    out: Vec<u8>,
    effects: Vec<&'static str>,
}

/// Draws give up after so many in a row that add nothing.
const PATIENCE: usize = 300;

/// Cases until `goal` is reached: first what options need, then commands, then the rest.
fn choose(folder: &Path, subjects: &[Subject], seed: u64, goal: &Goal) -> Vec<Chosen> {
    let mut dice = Dice(seed);
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut add = |command: Option<&'static str>, option: Option<&'static str>| -> bool {
        let command = command.unwrap_or_else(|| COMMANDS[dice.below(COMMANDS.len())]);
        let case = draw(&mut dice, subjects, command, option);
        if option.is_some_and(|o| case.options.iter().all(|(name, _)| *name != o)) {
            return false;
        }
        let printed = ours(folder, &case.words());
        if printed.code != 0 || printed.out.is_empty() || seen.contains(&printed.out) {
            return false;
        }
        let has_effect =
            |option: &&str| ours(folder, &case.without(option).words()).out != printed.out;
        if option.is_some_and(|o| !has_effect(&o)) {
            return false;
        }
        let names = case.options.iter().map(|(name, _)| *name);
        let effects: Vec<&'static str> = names.filter(has_effect).collect();
        seen.insert(printed.out.clone());
        chosen.push(Chosen {
            case,
            out: printed.out,
            effects,
        });
        true
    };
    // Two more than needed: some turn out to be cases where the original is unstable.
    let spare = |wanted: usize| if wanted == 0 { 0 } else { wanted + 2 };
    let mut draw_until_one_adds = |command, option| {
        let _ = (0..PATIENCE).any(|_| add(command, option));
    };
    for option in OPTIONS {
        let command = (option == "add_comment").then_some("comments");
        // Where the original varies, half of the cases count as unstable, or two of three.
        let more = match option {
            "call_tree" => 2 * goal.per_option,
            "files" => goal.per_option,
            _ => 0,
        };
        for _ in 0..spare(goal.per_option) + more {
            draw_until_one_adds(command, Some(option));
        }
    }
    for command in COMMANDS {
        for _ in 0..spare(goal.per_command) {
            draw_until_one_adds(Some(command), None);
        }
    }
    let drawn = spare(goal.per_command) * COMMANDS.len() + spare(goal.per_option) * OPTIONS.len();
    for _ in 0..goal.all.saturating_sub(drawn) {
        draw_until_one_adds(None, None);
    }
    chosen
}

/// True if the original prints more than one thing, and ours is one of them.
fn is_one_of_several(
    folder: &Path,
    words: &[String],
    our: &Printed,
    their: &[Printed],
    original: &Original,
) -> bool {
    let more = original.again(folder, words);
    let all: Vec<&[u8]> = their.iter().chain(&more).map(|t| &*t.out).collect();
    let varies = all.windows(2).any(|pair| pair[0] != pair[1]);
    varies && originals::is_one_of(words, &our.out, &all)
}

/// Compares with `originals`, of which the first decides and the second may excuse:
/// it is a later version, and decides over flags that the first does not have. Differences are told by `seen` as they come.
pub(crate) fn compare(
    folder: &Path,
    scratch: &Path,
    seed: u64,
    goal: &Goal,
    originals: &[Original],
    mut seen: impl FnMut(&str),
) -> Tally {
    let subjects = subjects(folder, scratch);
    let nameless = |path: &str| {
        let mut found = subjects.iter().filter(|s| s.path == path);
        found.any(|s| s.names.is_empty())
    };
    let mut tally = Tally::default();
    for Chosen { case, out, effects } in choose(folder, &subjects, seed, goal) {
        let words = case.words();
        let line = words.join(" ");
        let our = Printed::of(out);
        let again = (1..goal.our_runs).find(|_| ours(folder, &words).out != our.out);
        let their: Vec<Printed> = (0..goal.runs.max(1))
            .map(|_| originals[0].run(folder, &words))
            .collect();
        let stable = their.iter().all(|t| *t == their[0]);
        // A flag of google/pprof that this Go does not have yet.
        let lacks = their[0].errors.contains("flag provided but not defined");
        if lacks && originals.len() == 1 {
            continue;
        }
        let later = originals
            .get(1)
            .map(|original| original.run(folder, &words));
        let equal = stable && their[0].is(&our);
        let as_later = !equal && later.as_ref().is_some_and(|later| later.is(&our));
        // What cannot be asked of the first is for the later one to judge.
        let (judge, judged) = match &later {
            Some(later) if lacks => (&originals[1], std::slice::from_ref(later)),
            _ => (&originals[0], &their[..]),
        };
        if let Some(run) = again {
            tally
                .different
                .push(format!("{line}\n  ours differs from itself in run {run}"));
        } else if equal || as_later {
            if as_later {
                tally.later.push(line);
            }
            *tally.commands.entry(case.command).or_default() += 1;
            for option in effects {
                *tally.options.entry(option).or_default() += 1;
            }
            let symbolized = &mut tally.symbolized[usize::from(case.symbolize_none)];
            *symbolized += 1;
            tally
                .profiles
                .insert(words.last().cloned().unwrap_or_default());
            tally.equal.insert(our.out);
        } else if originals::may_vary(&words, nameless(&case.source))
            && is_one_of_several(folder, &words, &our, judged, judge)
        {
            tally.unstable.push(line);
        } else {
            let told = originals::difference(&line, &our, &judged[0]);
            seen(&told);
            tally.different.push(told);
        }
    }
    for line in ERRORS {
        let words: Vec<String> = line.iter().map(|w| (*w).to_owned()).collect();
        let (our, their) = (ours(folder, &words), originals[0].run(folder, &words));
        match errors::same(&our, &their) {
            true => tally.errors += 1,
            false => {
                let told = originals::difference(&line.join(" "), &our, &their);
                seen(&told);
                tally.different.push(told);
            }
        }
    }
    tally
}
