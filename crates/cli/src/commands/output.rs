//! Where and how a report is written: flags that several commands share.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use shakedown_findings::RunReport;
use shakedown_report::{FORMATS, Style};

use crate::terminal;

/// Where and how the report is written.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Output {
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = FORMATS.iter().map(|format| format.name).collect::<Vec<_>>())]
    format: String,
    /// File for the report instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Output {
    /// The text report on stdout.
    pub(crate) fn text() -> Self {
        Self {
            format: "text".into(),
            out: None,
        }
    }

    /// Sees to it before a long run that its report can be written.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        let folder = self.out.as_ref().and_then(|path| path.parent());
        match folder.filter(|folder| *folder != Path::new("") && !folder.is_dir()) {
            Some(folder) => bail!("--out: the folder {} is not there", folder.display()),
            None => Ok(()),
        }
    }

    pub(crate) fn write(&self, report: &RunReport) -> anyhow::Result<()> {
        let format = shakedown_report::format(&self.format)
            .ok_or_else(|| anyhow!("no format is called {:?}", self.format))?;
        match &self.out {
            Some(path) => {
                let plain = Style {
                    colour: false,
                    ..terminal::style()
                };
                fs::write(path, (format.render)(report, plain))
                    .with_context(|| path.display().to_string())
            }
            None => Ok(terminal::show(&(format.render)(report, terminal::style()))?),
        }
    }
}
