//! The module text: tab-separated lines, as `runtime/debug.ParseBuildInfo` reads them.
//!
//! A line that is not understood is skipped: newer toolchains may add kinds.

use super::{GoBuild, GoModule};

/// No program links more modules; the text is bounded too.
const MODULES_MAX: usize = 100_000;

/// Reads everything but the toolchain's version, which does not stand in the text.
pub(super) fn parse(text: &str) -> GoBuild {
    let mut build = GoBuild::default();
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once('\t') else {
            continue;
        };
        match kind {
            "path" => build.package = Some(rest.to_owned()),
            "mod" => build.main = module(rest),
            "dep" if build.deps.len() < MODULES_MAX => build.deps.extend(module(rest)),
            "=>" => replace(&mut build, module(rest)),
            "build" if build.settings.len() < MODULES_MAX => build.settings.extend(setting(rest)),
            _ => {}
        }
    }
    build
}

fn module(columns: &str) -> Option<GoModule> {
    let mut columns = columns.split('\t');
    Some(GoModule {
        path: columns.next()?.to_owned(),
        version: columns.next()?.to_owned(),
        sum: columns.next().unwrap_or_default().to_owned(),
        replaced_by: None,
    })
}

/// A replacement belongs to the module on the line before.
fn replace(build: &mut GoBuild, by: Option<GoModule>) {
    let replaced = build.deps.last_mut().or(build.main.as_mut());
    if let Some(replaced) = replaced {
        replaced.replaced_by = by.map(Box::new);
    }
}

/// `key=value`, either of which may be a quoted Go string.
fn setting(text: &str) -> Option<(String, String)> {
    let (key, rest) = if text.starts_with(['"', '`']) {
        unquote(text)?
    } else {
        let (key, rest) = text.split_at(text.find('=')?);
        (key.to_owned(), rest)
    };
    let value = rest.strip_prefix('=')?;
    let value = if value.starts_with(['"', '`']) {
        unquote(value)?.0
    } else {
        value.to_owned()
    };
    Some((key, value))
}

/// A quoted Go string at the beginning, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (content, rest) = raw.split_once('`')?;
        return Some((content.to_owned(), rest));
    }
    let mut content = String::new();
    let mut rest = text.strip_prefix('"')?.chars();
    loop {
        match rest.next()? {
            '"' => return Some((content, rest.as_str())),
            '\\' => content.push(escape(&mut rest)?),
            other => content.push(other),
        }
    }
}

fn escape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let hex = |rest: &mut std::str::Chars<'_>, digits: usize| {
        let code = rest.as_str().get(..digits)?;
        *rest = rest.as_str()[digits..].chars();
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    };
    Some(match rest.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        'x' => hex(rest, 2)?,
        'u' => hex(rest, 4)?,
        'U' => hex(rest, 8)?,
        same @ ('\\' | '"' | '\'') => same,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_replacements_and_settings_are_read() {
        let build = parse(concat!(
            "path\texample.com/orders/cmd/orders\n",
            "mod\texample.com/orders\t(devel)\t\n",
            "dep\tgo.uber.org/zap\tv1.27.0\th1:abc=\n",
            "dep\tgithub.com/a/b\tv1.0.0\n",
            "=>\t../b\t(devel)\t\n",
            "build\t-ldflags=\"-X 'main.version=1 2' \\\"q\\\"\"\n",
            "build\tvcs.revision=0123\n",
            "build\tvcs.modified=true\n",
            "news\tof a later Go\n",
        ));
        assert_eq!(
            build.package.as_deref(),
            Some("example.com/orders/cmd/orders")
        );
        assert_eq!(build.main.as_ref().unwrap().version, "(devel)");
        assert_eq!(build.deps.len(), 2);
        assert_eq!(build.deps[0].sum, "h1:abc=");
        assert_eq!(build.deps[1].replaced_by.as_ref().unwrap().path, "../b");
        assert_eq!(
            build.setting("-ldflags"),
            Some(r#"-X 'main.version=1 2' "q""#)
        );
        assert_eq!(build.setting("vcs.modified"), Some("true"));
    }

    #[test]
    fn half_a_line_is_skipped() {
        for text in [
            "mod",
            "mod\t",
            "dep\tx",
            "=>\ta\tb\tc",
            "build\t",
            "build\t\"a",
        ] {
            let build = parse(text);
            assert!(build.deps.is_empty() && build.settings.is_empty(), "{text}");
        }
    }
}
