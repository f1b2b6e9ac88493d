//! Names of functions as `go tool pprof` shows them unless `-symbolize=none` is given.
//!
//! It then demangles what looks like a linker's name, and simplifies what looks like
//! C++ that was demangled before: parameters go, and template parameters. The second
//! is done here, the first by whoever calls: a demangler is no part of this crate.
//!
//! Source: google/pprof, internal/symbolizer/symbolizer.go `Demangle`.

use crate::Profile;

/// How much of a demangled C++ name is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimpleNames {
    /// Neither parameters nor template parameters.
    #[default]
    Bare,
    /// Template parameters.
    Templates,
    /// Everything.
    Full,
}

impl Profile {
    /// Simplifies the names of functions whose name is the linker's; with `force` every
    /// name is first made that again. What `demangle` knows to read is shown as it says.
    pub fn simplify_names(
        &mut self,
        how: SimpleNames,
        force: bool,
        demangle: &dyn Fn(&str) -> Option<String>,
    ) {
        for i in 0..self.functions.len() {
            let Some(&function) = self.functions.get(i) else {
                break;
            };
            let (name, system) = (self.text(function.name), self.text(function.system_name));
            let forced = force && !name.is_empty() && !system.is_empty();
            if !forced && !name.is_empty() && name != system {
                continue;
            }
            let simple = demangle(system).unwrap_or_else(|| simple(system, how));
            if simple == name {
                continue;
            }
            let simple = self.intern(&simple);
            if let Some(function) = self.functions.get_mut(i) {
                function.name = simple;
            }
        }
    }
}

fn simple(name: &str, how: SimpleNames) -> String {
    if how == SimpleNames::Full || !is_demangled_cpp(name) {
        return name.to_owned();
    }
    let name = without_pairs(name, b'(', b')');
    match how {
        SimpleNames::Bare => without_pairs(&name, b'<', b'>'),
        _ => name,
    }
}

fn is_demangled_cpp(name: &str) -> bool {
    // Java's `class.<init>`, and methods of Go's generic types.
    if name.contains(".<") || name.contains("]).") {
        return false;
    }
    name.contains(['<', '>', '[', ']']) || name.contains("::")
}

/// Cuts out every outermost pair with what it encloses, up to the first that does not match.
fn without_pairs(name: &str, open: u8, close: u8) -> String {
    let mut kept = Vec::with_capacity(name.len());
    let (mut depth, mut first) = (0usize, 0);
    for (at, &byte) in name.as_bytes().iter().enumerate() {
        if byte == open {
            depth += 1;
            if depth == 1 {
                first = kept.len();
            }
        }
        kept.push(byte);
        if byte == close {
            let Some(less) = depth.checked_sub(1) else {
                kept.extend(name.as_bytes().iter().skip(at + 1));
                break;
            };
            depth = less;
            if depth == 0 {
                kept.truncate(first);
            }
        }
    }
    // Whole characters were kept: brackets are one byte each.
    String::from_utf8(kept).unwrap_or_else(|_| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bare: &str) {
        assert_eq!(simple(name, SimpleNames::Bare), bare, "{name}");
    }

    #[test]
    fn names_are_the_originals() {
        check("(anonymous namespace)::Bar::Foo", "::Bar::Foo");
        check(
            "std::map<int, std::set<int> >::find(int const&)",
            "std::map::find",
        );
        check("main.(*T).Run", "main.(*T).Run");
        check("main.(*T[...]).Run", "main.(*T[...]).Run");
        check("main.Map[...]", "main.Map[...]");
        check("java.lang.Object.<init>", "java.lang.Object.<init>");
        check("a::b) c(d)", "a::b) c(d)");
        check("a::b(c", "a::b(c");
        check("é::ü(ö)", "é::ü");
    }

    #[test]
    fn templates_and_full_names_keep_more() {
        let name = "a::b<c>(d)";
        assert_eq!(simple(name, SimpleNames::Templates), "a::b<c>");
        assert_eq!(simple(name, SimpleNames::Full), name);
    }

    #[test]
    fn a_name_that_is_not_the_linkers_stays_unless_forced() {
        let mut profile = Profile::new(&[("samples", "count")]);
        let id = profile.push_function("shown::name(int)", "", 0);
        let system = profile.intern("linker::name(int)");
        profile.functions[id.index()].system_name = system;
        profile.simplify_names(SimpleNames::Bare, false, &|_| None);
        assert_eq!(
            profile.text(profile.functions()[0].name),
            "shown::name(int)"
        );
        profile.simplify_names(SimpleNames::Bare, true, &|_| None);
        assert_eq!(profile.text(profile.functions()[0].name), "linker::name");
        let known = |name: &str| (name == "linker::name(int)").then(|| "known".to_owned());
        profile.simplify_names(SimpleNames::Bare, true, &known);
        assert_eq!(profile.text(profile.functions()[0].name), "known");
    }
}
