//! `env-file`: variables of a service, one a line, as container runtimes and systemd read them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No environment of the kernel is larger.
const LENGTH_MAX: u64 = 2 << 20;

/// Reads the variables of a file, in their order.
///
/// # Errors
/// The file cannot be read or has a line that is no variable; its place and the remedy, and no
/// value.
pub fn env_file(path: &Path) -> Result<Vec<(String, String)>, String> {
    let name = path.display();
    let refused = |error: std::io::Error| format!("env-file {name}: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refused)?;
    let read = file.take(LENGTH_MAX + 1).read_to_end(&mut bytes);
    read.map_err(refused)?;
    if bytes.len() as u64 > LENGTH_MAX {
        return Err(format!(
            "env-file {name}: longer than {LENGTH_MAX} bytes, which no environment is"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("env-file {name}: not UTF-8"))?;
    parse(&text).map_err(|(line, why)| format!("env-file {name}, line {line}: {why}"))
}

fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, &'static str)> {
    let mut variables = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .ok_or((number, "no `=`; a line is NAME=VALUE"))?;
        let name = name.trim_end();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if name.is_empty() || !name.bytes().all(plain) {
            return Err((number, "no name that a variable may have before its `=`"));
        }
        variables.push((
            name.to_owned(),
            unquoted(value.trim()).map_err(|why| (number, why))?,
        ));
    }
    Ok(variables)
}

/// A value in quotes is taken as it stands in them; in double quotes `\n`, `\t`, `\"`, `\$` and
/// `\\` stand for what they do in a shell. Nothing is expanded.
fn unquoted(value: &str) -> Result<String, &'static str> {
    const OPEN: &str = "a quote without its end; values over several lines are not read";
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.strip_suffix('\'').map(str::to_owned).ok_or(OPEN);
    }
    let Some(rest) = value.strip_prefix('"') else {
        return Ok(value.to_owned());
    };
    let mut out = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if letters.as_str().trim_start().starts_with('#')
                || letters.as_str().trim().is_empty() =>
            {
                return Ok(out);
            }
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(kept @ ('"' | '\\' | '$')) => out.push(kept),
                Some(other) => out.extend(['\\', other]),
                None => return Err(OPEN),
            },
            letter => out.push(letter),
        }
    }
    Err(OPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<(String, String)> {
        parse(text).expect(text)
    }

    fn one(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn lines_are_read_as_others_read_them() {
        assert_eq!(check("# c\n\n; c\n  A=1  \n"), one("A", "1"));
        assert_eq!(check("export A = 'x y # z'"), one("A", "x y # z"));
        assert_eq!(
            check(r#"A="x\n\"y\" \$H \\ \d""#),
            one("A", "x\n\"y\" $H \\ \\d")
        );
        assert_eq!(check("A=\"x\" # c"), one("A", "x"));
        assert_eq!(check("A="), one("A", ""));
        assert_eq!(check("A=b=c#d"), one("A", "b=c#d"));
        assert_eq!(check("A=1\r\nB=2\r\n").len(), 2);
    }

    #[test]
    fn a_mistake_names_its_line_and_no_value() {
        for text in [
            "A=1\nhunter2",
            "A=1\n=hunter2",
            "A=1\nB='hunter2",
            "A=1\nB=\"hunter2",
            "A=1\nB C=hunter2",
        ] {
            let (line, why) = parse(text).expect_err(text);
            assert_eq!(line, 2);
            assert!(!why.contains("hunter2"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_odd(text in "([A-Z]|=|\"|'|\\\\|#|\n| |export |é){0,40}") {
            let _ = parse(&text);
        }
    }
}
