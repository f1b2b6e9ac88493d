//! What the sources of a crate may touch: pure crates do no I/O and read no clock, and only the
//! command prints.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::manifests::PURE;
use crate::{assert_none, crates, files, read};

/// Paths that begin with one of these are the outside world.
const OUTSIDE: [&str; 13] = [
    "std::env",
    "std::fs",
    "std::net::*",
    "std::os",
    "std::path",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "hyper",
    "rustix",
    "libc",
];
/// As are paths that end with one of these, wherever they begin.
const OUTSIDE_AT_END: [&str; 5] = [
    "Instant::now",
    "SystemTime::now",
    "io::stdin",
    "io::stdout",
    "io::stderr",
];
/// And whatever has one of these in it: `std::net` itself has addresses, too, which are plain data.
const SOCKETS: [&str; 4] = ["TcpListener", "TcpStream", "UdpSocket", "ToSocketAddrs"];
/// The one place of a pure crate that touches files, and why.
const ALLOWED: &[(&str, &[&str], &str)] = &[(
    "crates/evidence/src/bundle.rs",
    &["std::fs", "std::os", "std::path"],
    "the bundle on disk",
)];

const PRINTS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
/// Crates that may print: the command, through `terminal`, and what runs inside tests only.
const PRINTING: [&str; 2] = ["cli", "testkit"];

/// A path (`std::fs::File`) or a macro (`println!`) in a source, with its line.
struct Mention {
    line: usize,
    text: String,
}

/// Everything that a source mentions outside of comments, texts and `#[cfg(test)]`.
fn mentions(source: &str) -> Vec<Mention> {
    let tokens: TokenStream = source.parse().expect("the compiler has read it, too");
    let mut found = Vec::new();
    walk(tokens, "", &mut found);
    found
}

/// `before` is the path that stands before a group of a `use`: `std::` in `use std::{fs, io}`.
fn walk(tokens: TokenStream, before: &str, found: &mut Vec<Mention>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut path = before.to_owned();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) => {
                path.push_str(&ident.to_string());
                let follows = |tokens: &mut std::iter::Peekable<_>, wanted| matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == wanted);
                if follows(&mut tokens, ':') {
                    tokens.next();
                    if follows(&mut tokens, ':') {
                        tokens.next();
                        path.push_str("::");
                        continue;
                    }
                } else if follows(&mut tokens, '!') {
                    path.push('!');
                }
                let text = std::mem::replace(&mut path, before.to_owned());
                let line = ident.span().start().line;
                found.push(Mention { line, text });
            }
            TokenTree::Group(group) => {
                let of_use = group.delimiter() == Delimiter::Brace && path.ends_with("::");
                walk(group.stream(), if of_use { &path } else { "" }, found);
                path = before.to_owned();
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                path = before.to_owned();
                if matches!(tokens.peek(), Some(TokenTree::Group(group)) if is_for_tests(&group.stream()))
                {
                    skip_item(&mut tokens);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '*' && path.ends_with("::") => {
                let line = punct.span().start().line;
                let text = std::mem::replace(&mut path, before.to_owned()) + "*";
                found.push(Mention { line, text });
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => path = before.to_owned(),
        }
    }
}

fn is_for_tests(attribute: &TokenStream) -> bool {
    attribute.to_string().replace(' ', "") == "cfg(test)"
}

/// Passes over what an attribute stands before: up to its body, or to a semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// What a source of a pure crate mentions of the outside world.
fn outside(path: &str, source: &str) -> Vec<String> {
    let allowed: &[&str] = ALLOWED
        .iter()
        .find(|(file, ..)| *file == path)
        .map_or(&[], |(_, allowed, _)| allowed);
    let begins = |text: &str, with: &str| {
        let rest = text.strip_prefix(with);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let ends = |text: &str, with: &str| {
        let rest = text.strip_suffix(with);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    };
    let is_outside = |text: &str| {
        OUTSIDE.iter().any(|outside| begins(text, outside))
            || OUTSIDE_AT_END.iter().any(|outside| ends(text, outside))
            || text.split("::").any(|part| SOCKETS.contains(&part))
    };
    mentions(source)
        .iter()
        .filter(|mention| is_outside(&mention.text))
        .filter(|mention| !allowed.iter().any(|path| begins(&mention.text, path)))
        .map(|mention| format!("{path}:{}: {}", mention.line, mention.text))
        .collect()
}

/// Where a source prints.
fn prints(path: &str, source: &str) -> Vec<String> {
    mentions(source)
        .iter()
        .filter(|mention| {
            let name = mention.text.strip_suffix('!').unwrap_or_default();
            PRINTS.contains(&name.rsplit("::").next().unwrap_or(name))
        })
        .map(|mention| {
            format!(
                "{path}:{}: {} outside of the command",
                mention.line, mention.text
            )
        })
        .collect()
}

/// The sources of a crate that are shipped.
fn shipped(name: &str) -> Vec<String> {
    let of_tests = |path: &String| path.ends_with("/tests.rs") || path.ends_with("_tests.rs");
    let mut sources = files(&format!("crates/{name}/src"), ".rs");
    sources.retain(|path| !of_tests(path));
    assert!(!sources.is_empty(), "crates/{name} has no sources");
    sources
}

#[test]
fn pure_crates_touch_nothing_outside() {
    let sources = PURE.iter().flat_map(|name| shipped(name));
    assert_none(
        &sources
            .flat_map(|path| outside(&path, &read(&path)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn only_the_command_prints() {
    let silent = crates()
        .into_iter()
        .filter(|name| !PRINTING.contains(&name.as_str()));
    let sources = silent.flat_map(|name| shipped(&name));
    assert_none(
        &sources
            .flat_map(|path| prints(&path, &read(&path)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_outside_world_is_seen_however_it_is_written() {
    for source in [
        "use std::fs;",
        "use std::{collections::HashMap, fs::File};",
        "use std::{io, net::{IpAddr, TcpStream}};",
        "use std::net;\nfn f() { net::UdpSocket::bind(a); }",
        "use std::net::*;",
        "use std::{io, fs::*};",
        "fn f(path: &std::path::Path) -> bool { path.exists() }",
        "fn f() -> Option<String> { std::env::var(\"HOME\").ok() }",
        "use std::time::Instant;\nfn f() -> Instant { Instant::now() }",
        "fn f() { let now = std::time::SystemTime::now(); }",
        "#[test]\nfn f() { std::process::Command::new(\"go\"); }",
        "async fn f() { tokio::time::sleep(d).await }",
        "mod inner { fn f() { if x { std::thread::sleep(d) } } }",
        "use std::io::{self, Write};\nfn f() { let _ = io::stdout().flush(); }",
    ] {
        assert_ne!(outside("x.rs", source), [""; 0], "{source}");
    }
}

#[test]
fn what_only_looks_like_it_is_let_be() {
    for source in [
        "//! Never calls std::fs.\n/// Nor std::env::var.\nfn f() { /* std::net */ }",
        "const TEXT: &str = \"std::process::exit\";",
        "use std::time::Duration;\nuse std::io::Read;\nuse std::net::SocketAddr;",
        "use crate::Moment as Instant;\nstruct S { at: Instant }",
        "const VERSION: &str = env!(\"CARGO_PKG_VERSION\");",
        "#[cfg(test)]\nmod tests { use std::fs; }\nfn f() {}",
        "fn fs() {}\nfn f() { my::fs(); crate::env::x() }",
    ] {
        assert_eq!(outside("x.rs", source), [""; 0], "{source}");
    }
    let after = "#[cfg(test)]\nmod tests;\nuse std::fs;";
    assert_eq!(outside("x.rs", after), ["x.rs:3: std::fs"]);
}

#[test]
fn the_bundle_may_use_files_and_nothing_else() {
    let path = "crates/evidence/src/bundle.rs";
    assert_eq!(
        outside(path, "use std::fs;\nuse std::os::unix::fs::OpenOptionsExt;"),
        [""; 0]
    );
    assert_eq!(outside(path, "use std::net::TcpStream;").len(), 1);
}

#[test]
fn printing_is_seen() {
    for source in [
        "fn f() { println!(\"{x}\"); }",
        "fn f() { std::eprint!(\"x\") }",
        "fn f() { let y = dbg!(x); }",
    ] {
        assert_eq!(prints("x.rs", source).len(), 1, "{source}");
    }
    assert_eq!(
        prints("x.rs", "fn f() { writeln!(out, \"println!\") }"),
        [""; 0]
    );
}
