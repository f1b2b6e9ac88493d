//! `-short-names`: functions by the last element of their package and their name.
//!
//! `github.com/acme/orders/store.(*Store).scan` becomes `store.(*Store).scan`, and type
//! arguments become `[...]`. Names that would then be the same keep as many directories as
//! tell them apart: two functions never become one.

use std::collections::HashMap;

use crate::{Profile, StringId, short_name};

/// Directories tried, one by one; names that differ further out are shown whole.
const DEEPEST: usize = 16;

pub(super) fn shorten(profile: &mut Profile) {
    let mut ids: Vec<StringId> = profile.functions().iter().map(|f| f.name).collect();
    ids.sort_unstable();
    ids.dedup();
    let names: Vec<&str> = ids.iter().map(|&id| profile.text(id)).collect();
    let shown = apart(&names);
    let new = ids
        .iter()
        .zip(&shown)
        .map(|(id, name)| (*id, profile.intern(name)));
    let new: HashMap<StringId, StringId> = new.collect();
    for function in &mut profile.functions {
        function.name = new.get(&function.name).copied().unwrap_or(function.name);
    }
}

/// The shortest forms of distinct names that are distinct as well.
fn apart(names: &[&str]) -> Vec<String> {
    let mut depths = vec![0; names.len()];
    loop {
        let shown: Vec<String> = names
            .iter()
            .zip(&depths)
            .map(|(n, &d)| form(n, d))
            .collect();
        let mut same: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, name) in shown.iter().enumerate() {
            same.entry(name).or_default().push(at);
        }
        let mut moved = false;
        for at in same.into_values().filter(|at| at.len() > 1).flatten() {
            if let Some(depth) = depths.get_mut(at).filter(|depth| **depth <= DEEPEST + 1) {
                *depth += 1;
                moved = true;
            }
        }
        if !moved {
            return shown;
        }
    }
}

/// A name at a depth: 0 is without directories and type arguments, 1 with the arguments,
/// each more has one more directory; at last it is the name itself.
fn form(name: &str, depth: usize) -> String {
    let short = short_name(name);
    if depth == 0 {
        return without_type_arguments(&short);
    }
    let Some(directories) = name.strip_suffix(&*short).filter(|_| depth <= DEEPEST) else {
        return name.to_owned();
    };
    let directories: Vec<&str> = directories.split_inclusive('/').collect();
    let kept = directories.len().saturating_sub(depth - 1);
    let kept = directories.get(kept..).unwrap_or(&[]);
    format!("{}{short}", kept.concat())
}

/// `Map[go.shape.string,int].Get` as `Map[...].Get`; a type such as `[]byte` stays.
fn without_type_arguments(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut open = 0u32;
    let mut before = ' ';
    for (at, letter) in name.char_indices() {
        match letter {
            '[' if open > 0 => open += 1,
            '[' if (before.is_alphanumeric() || before == '_') && closes(name, at) => {
                out.push_str("[...]");
                open = 1;
            }
            ']' if open > 0 => open -= 1,
            _ if open == 0 => out.push(letter),
            _ => {}
        }
        before = letter;
    }
    out
}

/// True if the bracket at `at` is closed behind.
fn closes(name: &str, at: usize) -> bool {
    let mut open = 0u32;
    name.get(at..).unwrap_or("").chars().any(|letter| {
        match letter {
            '[' => open += 1,
            ']' => open = open.saturating_sub(1),
            _ => {}
        }
        open == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], wanted: &[&str]) {
        assert_eq!(apart(names), wanted);
    }

    #[test]
    fn directories_and_type_arguments_go() {
        check(
            &[
                "github.com/acme/orders/store.(*Store).scan",
                "main.main",
                "corp/cache.Map[go.shape.string,go.shape.[]uint8].Get",
                "runtime.mallocgc",
                "slices.Sort[...]",
                "a[",
                "",
            ],
            &[
                "store.(*Store).scan",
                "main.main",
                "cache.Map[...].Get",
                "runtime.mallocgc",
                "slices.Sort[...]",
                "a[",
                "",
            ],
        );
    }

    #[test]
    fn what_would_be_the_same_stays_apart() {
        check(
            &["x.org/a/v1/s.F", "x.org/b/v1/s.F", "x.org/b/v1/s.G", "s.H"],
            &["a/v1/s.F", "b/v1/s.F", "s.G", "s.H"],
        );
        check(
            &["m.Map[int].Get", "m.Map[string].Get"],
            &["m.Map[int].Get", "m.Map[string].Get"],
        );
        // A module's second version: its short form is no end of its name.
        check(&["h/s/v2.F", "h/s.F", "s.F"], &["h/s/v2.F", "h/s.F", "s.F"]);
    }

    #[test]
    fn the_deepest_names_are_shown_whole() {
        let deep = "d/".repeat(40);
        let names = [format!("a/{deep}s.F"), format!("b/{deep}s.F")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        check(&names, &names);
    }
}
