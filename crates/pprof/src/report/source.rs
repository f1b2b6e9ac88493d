//! Source files, asked of the caller.

use std::collections::HashMap;

use super::Options;
use super::trim_path::{split_list, trim};

/// Where source files come from; this crate opens none.
pub trait Sources {
    /// The content of the file at `path`.
    ///
    /// # Errors
    /// One line for a person: `open /src/a.go: no such file or directory`.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// A file that is not where the profile and the options say. What is found shall be shown.
    fn elsewhere(&self, path: &str) -> Option<Vec<u8>> {
        let _ = path;
        None
    }

    /// Where relative paths are searched unless the options say.
    fn working_directory(&self) -> String;
}

/// No source file at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("open {path}: no sources"))
    }

    fn working_directory(&self) -> String {
        "/".to_owned()
    }
}

/// Lines of files, each read once.
pub(super) struct Reader<'s> {
    sources: &'s dyn Sources,
    search_path: String,
    trim_path: String,
    known: HashMap<String, Result<Vec<String>, String>>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(sources: &'s dyn Sources, options: &Options) -> Self {
        let search_path = match options.source_path.as_str() {
            "" => sources.working_directory(),
            path => path.to_owned(),
        };
        Reader {
            sources,
            search_path,
            trim_path: options.trim_path.clone(),
            known: HashMap::new(),
        }
    }

    /// The lines of a file, or why there are none.
    pub(super) fn lines(&mut self, path: &str) -> Result<&[String], &str> {
        if !self.known.contains_key(path) {
            let opened = self.open(path);
            let opened = opened.or_else(|why| self.sources.elsewhere(path).ok_or(why));
            let lines = opened.map(|bytes| {
                let text = String::from_utf8_lossy(&bytes);
                text.lines().map(str::to_owned).collect()
            });
            self.known.insert(path.to_owned(), lines);
        }
        self.known_lines(path)
    }

    /// What [`Self::lines`] said of a file, and nothing of one that was not asked for.
    pub(super) fn known_lines(&self, path: &str) -> Result<&[String], &str> {
        match self.known.get(path) {
            Some(Ok(lines)) => Ok(lines),
            Some(Err(why)) => Err(why),
            None => Ok(&[]),
        }
    }

    /// Relative paths are searched below every directory of the search path and
    /// below all that it lies in.
    fn open(&self, path: &str) -> Result<Vec<u8>, String> {
        let cut = trim(path, &self.trim_path, &self.search_path);
        let path = path.get(cut..).unwrap_or(path);
        if path.starts_with('/') {
            return self.sources.read(path);
        }
        for directory in split_list(&self.search_path) {
            let mut directory = directory.trim_end_matches('/');
            loop {
                let file = format!("{directory}/{path}");
                if let Ok(bytes) = self.sources.read(&crate::paths::clean(&file)) {
                    return Ok(bytes);
                }
                directory = match directory.rfind('/') {
                    Some(slash) => directory.get(..slash).unwrap_or(""),
                    None if matches!(directory, "" | ".") => break,
                    None => ".",
                };
            }
        }
        Err(format!(
            "could not find file {path} on path {}",
            self.search_path
        ))
    }
}
