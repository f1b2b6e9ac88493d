//! What an executable says of its build, as evidence.

use std::io::{Read, Seek};

use shakedown_symbols::{
    BuildInfoError, GoBuild, GoModule, build_info, build_info_from, rustc, rustc_from,
};

use crate::{BuildInfo, Module};

impl BuildInfo {
    /// Reads the bytes of an executable; `executable` is its name for reports.
    ///
    /// An executable that is not Go's gives a [`BuildInfo`] without a Go version, and with the
    /// compiler's if it is Rust's.
    ///
    /// # Errors
    /// The bytes are not an executable or are damaged: nothing can be concluded from them.
    pub fn read(executable: &str, bytes: &[u8]) -> Result<Self, BuildInfoError> {
        let go = build_info(bytes)?;
        let rust = if go.is_none() { rustc(bytes)? } else { None };
        Ok(of(executable, go, rust))
    }

    /// The same over a reader, of which only the headers and what they lead to are read.
    ///
    /// # Errors
    /// As [`BuildInfo::read`]; a failed read counts as damage.
    pub fn read_from(
        executable: &str,
        mut reader: impl Read + Seek,
    ) -> Result<Self, BuildInfoError> {
        let go = build_info_from(&mut reader)?;
        let rust = if go.is_none() {
            rustc_from(&mut reader)?
        } else {
            None
        };
        Ok(of(executable, go, rust))
    }
}

fn of(executable: &str, build: Option<GoBuild>, rust: Option<String>) -> BuildInfo {
    let executable = executable.to_owned();
    let Some(build) = build else {
        return BuildInfo {
            executable,
            rust,
            ..BuildInfo::default()
        };
    };
    BuildInfo {
        executable,
        rust,
        revision: build.setting("vcs.revision").map(str::to_owned),
        modified: build.setting("vcs.modified").map(|value| value == "true"),
        go: Some(build.go),
        main: build.main.map(module),
        modules: build.deps.into_iter().map(module).collect(),
        package: build.package,
    }
}

/// The path by which it is imported, and the version that is really linked.
fn module(of: GoModule) -> Module {
    let version = of.replaced_by.map_or(of.version, |by| by.version);
    Module {
        path: of.path,
        version: if version.is_empty() {
            "(devel)".to_owned()
        } else {
            version
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_module_keeps_its_path_and_takes_the_version() {
        let replaced = GoModule {
            path: "go.opentelemetry.io/otel".into(),
            version: "v1.20.0".into(),
            replaced_by: Some(Box::new(GoModule {
                path: "example.com/fork/otel".into(),
                version: "v1.20.1".into(),
                ..GoModule::default()
            })),
            ..GoModule::default()
        };
        let build = of(
            "orders",
            Some(GoBuild {
                go: "go1.26.8".into(),
                deps: vec![replaced],
                settings: vec![("vcs.modified".into(), "false".into())],
                ..GoBuild::default()
            }),
            None,
        );
        assert_eq!(build.module("go.opentelemetry.io/otel"), Some("v1.20.1"));
        assert_eq!(build.modified, Some(false));
        assert_eq!(build.revision, None);
    }

    #[test]
    fn what_is_not_an_executable_is_an_error_and_not_another_language() {
        assert_eq!(
            BuildInfo::read("run.sh", b"#!/bin/sh\n"),
            Err(BuildInfoError::NotElf)
        );
    }
}
