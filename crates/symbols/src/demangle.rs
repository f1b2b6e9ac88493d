//! Names of the linker as people read them: C++ and Rust.
//!
//! What is left out by default is what `go tool pprof` leaves out: parameters, and the arguments
//! of templates. The parsing is done by cpp_demangle and rustc-demangle.
//!
//! Source: google/pprof, internal/symbolizer `Demangle`; github.com/ianlancetaylor/demangle for
//! what its options leave out.

use std::fmt;

use cpp_demangle::{DemangleNodeType, DemangleOptions, DemangleWrite, ParseOptions};

/// Longer names are left as they are: nobody reads them, and they cost.
const NAME_MAX: usize = 1 << 16;
/// Nesting of a name; the default of the parser, said here since the stack depends on it.
const NESTING_MAX: u32 = 96;
/// Longest result: names may refer to their own parts, and grow without end.
const READABLE_MAX: usize = 1 << 20;

/// How much of a name is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Neither parameters nor arguments of templates.
    #[default]
    Simple,
    /// Arguments of templates, no parameters.
    Templates,
    /// Everything.
    Full,
}

/// The readable form of a linker's name; nothing if it is readable already, or damaged.
#[must_use]
pub fn demangle(name: &str, names: Names) -> Option<String> {
    if name.len() > NAME_MAX {
        return None;
    }
    let readable = match name.starts_with("_R") {
        true => rust_v0(name, names),
        false => rust_legacy(name).or_else(|| cpp(name, names)),
    };
    // The linker of macOS puts one more underscore before each name.
    let plain = || demangle(name.strip_prefix('_')?, names);
    let is_other = |readable: &String| readable != name;
    readable
        .filter(is_other)
        .or_else(|| match name.starts_with("__") {
            true => plain(),
            false => None,
        })
}

/// Rust as it was mangled until 2025: a C++ name with a hash at its end.
fn rust_legacy(name: &str) -> Option<String> {
    let end = name.rfind("E.").map_or(name.len(), |at| at + 1);
    let name = name.get(..end)?;
    let hash = name.strip_prefix("_ZN")?.strip_suffix('E')?;
    let hash = hash
        .get(hash.len().checked_sub(19)?..)?
        .strip_prefix("17h")?;
    let mut digits: Vec<char> = hash.chars().filter(char::is_ascii_hexdigit).collect();
    digits.sort_unstable();
    let all = digits.len() == 16;
    digits.dedup();
    // Five different digits, or it is C++ of somebody who calls a function h0000….
    if !all || digits.len() < 5 {
        return None;
    }
    bounded(format_args!(
        "{:#}",
        rustc_demangle::try_demangle(name).ok()?
    ))
}

fn rust_v0(name: &str, names: Names) -> Option<String> {
    let name = name.split('.').next()?;
    let whole = bounded(format_args!(
        "{:#}",
        rustc_demangle::try_demangle(name).ok()?
    ))?;
    match names {
        Names::Simple => Some(without_generics(&whole)),
        Names::Templates | Names::Full => Some(whole),
    }
}

/// Empties every list of generic arguments, not the `<T as Trait>` of a path.
fn without_generics(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut depth = 0usize;
    let mut before = ' ';
    for c in name.chars() {
        let is_arrow = c == '>' && before == '-';
        match c {
            '<' if depth > 0 => depth += 1,
            '<' if before.is_alphanumeric() || matches!(before, '_' | ':') => {
                depth = 1;
                out.push('<');
            }
            '>' if depth > 0 && !is_arrow => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            out.push(c);
        }
        before = c;
    }
    out
}

fn cpp(name: &str, names: Names) -> Option<String> {
    // A clone's suffix (`.constprop.0`) is no part of the name, and is not shown.
    let name = name.split('.').next()?;
    // What only passes a call on is shown with the parameters of its target, whatever was asked.
    if let Some((what, target)) = passed_on(name) {
        return Some(format!(
            "{what} {}",
            cpp_parts(&format!("_Z{target}"), true, names)?
        ));
    }
    let whole = cpp_parts(name, names == Names::Full, names);
    let readable = whole.or_else(|| match names {
        Names::Full => None,
        Names::Simple | Names::Templates => cpp_without_types(name, names),
    })?;
    for (ours, theirs) in [("{vtable(", "vtable for"), ("{vtt(", "VTT for")] {
        let class = readable
            .strip_prefix(ours)
            .and_then(|r| r.strip_suffix(")}"));
        if let Some(class) = class {
            return Some(format!("{theirs} {class}"));
        }
    }
    Some(readable)
}

/// A name whose parameters or result the parser does not understand: `std::swap` has such. It is
/// cut behind its first part that is a name by itself, and given the simplest types there are.
fn cpp_without_types(name: &str, names: Names) -> Option<String> {
    /// Cuts that are tried; a name has about as many as it has arguments of templates.
    const CUTS_MAX: usize = 64;
    let ends = name.bytes().enumerate().filter(|(_, byte)| *byte == b'E');
    ends.take(CUTS_MAX).find_map(|(end, _)| {
        let cut = format!("{}vv", name.get(..=end)?);
        cpp_parts(&cut, false, names)
    })
}

/// What a name stands for that leads to another function, and that function's name.
fn passed_on(name: &str) -> Option<(&'static str, &str)> {
    let offset = |text: &'_ str| -> Option<usize> {
        let digits = text.strip_prefix('n').unwrap_or(text);
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        let is_number = end > 0 && digits.get(end..)?.starts_with('_');
        is_number.then_some(text.len() - digits.len() + end + 1)
    };
    if let Some(rest) = name.strip_prefix("_ZTh") {
        return Some(("non-virtual thunk to", rest.get(offset(rest)?..)?));
    }
    if let Some(rest) = name.strip_prefix("_ZTv") {
        let rest = rest.get(offset(rest)?..)?;
        return Some(("virtual thunk to", rest.get(offset(rest)?..)?));
    }
    Some(("transaction clone for", name.strip_prefix("_ZGTt")?))
}

fn cpp_parts(name: &str, with_parameters: bool, names: Names) -> Option<String> {
    let parse = ParseOptions::default().recursion_limit(NESTING_MAX);
    let symbol = cpp_demangle::Symbol::new_with_options(name.as_bytes(), &parse).ok()?;
    let mut options = DemangleOptions::new().recursion_limit(NESTING_MAX);
    if !with_parameters {
        options = options.no_params().no_return_type();
    }
    let mut reader = Reader {
        out: String::new(),
        keeps_arguments: names != Names::Simple,
        nodes: Vec::new(),
        left_arguments: false,
    };
    symbol.structured_demangle(&mut reader, &options).ok()?;
    let mut readable = without_empty_packs(reader.out);
    // The stream classes have a short name of their own in the mangling, as `std::string` has.
    for class in ["istream", "iostream", "ostream"] {
        let long = format!("std::basic_{class}<char, std::char_traits<char> >::");
        if readable.starts_with(&long)
            && !readable
                .get(long.len()..)
                .is_some_and(|r| r.trim_start_matches('~').starts_with("basic_"))
        {
            readable.replace_range(..long.len(), &format!("std::{class}::"));
        }
    }
    if !with_parameters {
        // What `this` is goes with the parameters.
        for qualifier in [" &&", " &", " volatile", " const"] {
            if let Some(shorter) = readable.strip_suffix(qualifier) {
                readable.truncate(shorter.len());
            }
        }
    }
    readable.truncate(readable.trim_end().len());
    Some(readable)
}

/// The parser writes a comma before an argument that stands for none.
fn without_empty_packs(mut name: String) -> String {
    while let Some(at) = name.find(", >") {
        let is_nested = name.get(..at).is_some_and(|before| before.ends_with('>'));
        name.replace_range(at..at + 3, if is_nested { " >" } else { ">" });
    }
    name
}

/// Takes a name piece by piece and leaves arguments of templates out, brackets included.
struct Reader {
    out: String,
    keeps_arguments: bool,
    /// For each part of the name that the next piece is in, whether it is such arguments.
    nodes: Vec<bool>,
    /// True behind arguments that were left out, before their closing bracket.
    left_arguments: bool,
}

impl Reader {
    fn is_within_arguments(&self) -> bool {
        self.nodes.iter().any(|is_arguments| *is_arguments)
    }
}

impl DemangleWrite for Reader {
    fn push_demangle_node(&mut self, node: DemangleNodeType) {
        let is_arguments = !self.keeps_arguments && matches!(node, DemangleNodeType::TemplateArgs);
        if is_arguments && !self.is_within_arguments() && self.out.ends_with('<') {
            self.out.pop();
        }
        self.nodes.push(is_arguments);
    }

    fn pop_demangle_node(&mut self) {
        let was_arguments = self.nodes.pop() == Some(true);
        self.left_arguments = was_arguments && !self.is_within_arguments();
    }

    fn write_string(&mut self, piece: &str) -> fmt::Result {
        if self.is_within_arguments() {
            return Ok(());
        }
        let piece = match self.left_arguments {
            true => piece.trim_start().strip_prefix('>').unwrap_or(piece),
            false => piece,
        };
        self.left_arguments &= piece.trim().is_empty();
        if self.out.len() + piece.len() > READABLE_MAX {
            return Err(fmt::Error);
        }
        self.out.push_str(piece);
        Ok(())
    }
}

/// What is formatted, unless it is too long.
fn bounded(what: fmt::Arguments<'_>) -> Option<String> {
    struct Bounded(String);
    impl fmt::Write for Bounded {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            if self.0.len() + piece.len() > READABLE_MAX {
                return Err(fmt::Error);
            }
            self.0.push_str(piece);
            Ok(())
        }
    }
    let mut out = Bounded(String::new());
    fmt::Write::write_fmt(&mut out, what).ok()?;
    Some(out.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, simple: &str, templates: &str, full: &str) {
        let all = [Names::Simple, Names::Templates, Names::Full];
        let found = all.map(|names| demangle(name, names).unwrap_or_else(|| name.to_owned()));
        assert_eq!(found, [simple, templates, full], "{name}");
    }

    /// Expected is what github.com/ianlancetaylor/demangle prints with the same options.
    #[test]
    fn names_are_those_of_the_original() {
        check(
            "_ZNKSt3mapISsiE4findERKSs",
            "std::map::find",
            "std::map<std::string, int>::find",
            "std::map<std::string, int>::find(std::string const&) const",
        );
        check("_Z3addii", "add", "add", "add(int, int)");
        check("_Z3addii.constprop.0", "add", "add", "add(int, int)");
        check(
            "_ZN12_GLOBAL__N_13BagIlE3sumEv",
            "(anonymous namespace)::Bag::sum",
            "(anonymous namespace)::Bag<long>::sum",
            "(anonymous namespace)::Bag<long>::sum()",
        );
        check(
            "_ZlsIiEvR3LogRKT_",
            "operator<<",
            "operator<< <int>",
            "void operator<< <int>(Log&, int const&)",
        );
        check(
            "_ZThn16_N3RPC4SendEi",
            "non-virtual thunk to RPC::Send(int)",
            "non-virtual thunk to RPC::Send(int)",
            "non-virtual thunk to RPC::Send(int)",
        );
        check(
            "_ZTV3RPC",
            "vtable for RPC",
            "vtable for RPC",
            "vtable for RPC",
        );
        check(
            "_ZNSi3getERc",
            "std::istream::get",
            "std::istream::get",
            "std::istream::get(char&)",
        );
    }

    #[test]
    fn types_that_are_not_understood_do_not_hide_the_name() {
        let swap = "_ZSt4swapIN4shop5OrderEENSt9enable_ifIXsrSt6__and_IJSt6__not_ISt15__is_tuple\
                    _likeIT_EESt21is_move_constructibleIS6_ESt18is_move_assignableIS6_EEE5valueE\
                    vE4typeERS6_SG_";
        assert_eq!(demangle(swap, Names::Simple).as_deref(), Some("std::swap"));
        let with_arguments = demangle(swap, Names::Templates);
        assert_eq!(with_arguments.as_deref(), Some("std::swap<shop::Order>"));
        assert_eq!(demangle(swap, Names::Full), None);
    }

    #[test]
    fn rust_names_lose_their_hash() {
        let name = "_ZN4work3mix17h0123456789abcdefE";
        check(name, "work::mix", "work::mix", "work::mix");
        let name = "_ZN4work3mix17h0123456789abcdefE.llvm.1234";
        check(name, "work::mix", "work::mix", "work::mix");
        let shape = "_ZN44_$LT$work..Square$u20$as$u20$work..Shape$GT$4area17h0123456789abcdefE";
        let readable = "<work::Square as work::Shape>::area";
        check(shape, readable, readable, readable);
        check(
            "_RINvCs1234_4work3mixmE",
            "work::mix::<>",
            "work::mix::<u32>",
            "work::mix::<u32>",
        );
        check(
            "_RNvXCs1234_4workNtB2_6SquareNtB2_5Shape4area",
            "<work::Square as work::Shape>::area",
            "<work::Square as work::Shape>::area",
            "<work::Square as work::Shape>::area",
        );
    }

    #[test]
    fn arguments_within_arguments_go_together() {
        assert_eq!(
            without_generics("a::f::<b::C<d>, fn(e) -> F>::g"),
            "a::f::<>::g"
        );
        assert_eq!(
            without_generics("<a::V<u8> as b::T<c>>::d"),
            "<a::V<> as b::T<>>::d"
        );
    }

    #[test]
    fn what_is_readable_stays() {
        for name in [
            "main",
            "main.(*T).Run",
            "_start",
            "_Z",
            "_R",
            "__Z",
            "a::b<c>(d)",
            "",
        ] {
            assert_eq!(demangle(name, Names::Simple), None, "{name}");
        }
        assert_eq!(
            demangle(&format!("_Z{}v", "1a".repeat(40_000)), Names::Full),
            None
        );
    }

    #[test]
    fn names_of_macos_have_one_more_underscore() {
        assert_eq!(demangle("__Z3addii", Names::Simple).as_deref(), Some("add"));
    }

    proptest! {
        #[test]
        fn hostile_names_are_bounded(name in "_{1,2}[ZR][A-Za-z0-9_.$]{0,80}") {
            for names in [Names::Simple, Names::Templates, Names::Full] {
                let readable = demangle(&name, names).unwrap_or_default();
                prop_assert!(readable.len() <= READABLE_MAX + 64);
            }
        }
    }
}
