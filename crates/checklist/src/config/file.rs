//! The file itself: bounded in length, and text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Config, ConfigError, position};

/// A longer file is not a configuration.
const LENGTH_MAX: u64 = 1 << 20;

impl Config {
    /// Reads a file, which may be a pipe.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = read(path).map_err(|source| ConfigError::Io {
            path: path.to_owned(),
            source,
        })?;
        if bytes.len() as u64 > LENGTH_MAX {
            return Err(ConfigError::TooLong {
                path: path.to_owned(),
                limit: LENGTH_MAX,
            });
        }
        Self::from_bytes(&bytes, path)
    }

    /// Reads bytes; `path` is only named in errors.
    ///
    /// # Errors
    /// Something in them is wrong.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ConfigError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text, path),
            Err(error) => {
                let whole = &bytes[..error.valid_up_to()];
                let text = String::from_utf8_lossy(whole);
                let (line, column) = position(&text, text.len());
                let byte = bytes.get(whole.len()).copied().unwrap_or_default();
                Err(ConfigError::Invalid {
                    path: path.to_owned(),
                    line,
                    column,
                    message: format!("byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"),
                })
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LENGTH_MAX + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> String {
        let read = Config::from_bytes(bytes, Path::new("a.toml"));
        read.expect_err("is wrong").to_string()
    }

    #[test]
    fn the_byte_that_is_not_text_is_found() {
        let error = check(b"schema = 1\n# gr\xc3\xbcn \xff\n");
        assert!(error.contains("a.toml:2:8: byte 0xff"), "{error}");
        let error = check(b"\xc3");
        assert!(error.contains("a.toml:1:1: byte 0xc3"), "{error}");
    }

    #[test]
    fn a_file_without_end_is_not_read_to_it() {
        let error = Config::read(Path::new("/dev/zero")).expect_err("no configuration");
        assert!(matches!(error, ConfigError::TooLong { .. }), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for path in ["absent.toml", "/"] {
            let error = Config::read(Path::new(path)).expect_err(path).to_string();
            assert!(error.starts_with(path), "{error}");
            assert!(error.contains("--config"), "{error}");
        }
    }
}
