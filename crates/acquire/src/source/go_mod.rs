//! The module that a `go.mod` declares.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Far above the largest known `go.mod` files, which have some 1,500 lines.
const BYTES_MAX: u64 = 1 << 20;

/// The module path declared by `go.mod` in this folder, if it has one.
pub(super) fn module_in(folder: &Path) -> Option<String> {
    let path = folder.join("go.mod");
    // A pipe of that name would block the reader.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    declared(&text).map(str::to_owned)
}

fn declared(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let line = line.split("//").next().unwrap_or_default().trim();
        let path = line.strip_prefix("module")?;
        // `modules` would be another word.
        let path = path.strip_prefix([' ', '\t', '"', '`'])?;
        let path = path.trim_matches([' ', '\t', '"', '`']);
        (!path.is_empty()).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn the_module_line_is_found_in_every_form() {
        for text in [
            "module example.com/orders\n\ngo 1.26\n",
            "// Deprecated: no\nmodule example.com/orders // why\n",
            "go 1.26\r\nmodule \"example.com/orders\"\r\n",
            "module\t`example.com/orders`\n",
        ] {
            assert_eq!(declared(text), Some("example.com/orders"), "{text}");
        }
        assert_eq!(declared("modules x\ngo 1.26\n"), None);
        assert_eq!(declared(""), None);
    }
}
