//! Where and how a report is written: flags that several commands share.

use std::fs;
use std::io::Write as _;
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

    /// As [`Output::prepare`], for reports that follow each other.
    pub(crate) fn prepare_several(&self) -> anyhow::Result<()> {
        if self.format == "html" {
            bail!(
                "--format html holds one report; each bundle has its report.html, or name one service: --service NAME"
            );
        }
        self.prepare()
    }

    /// Writes one of several reports, after those that were written before.
    pub(crate) fn write_next(&self, report: &RunReport, first: bool) -> anyhow::Result<()> {
        match &self.out {
            None => self.write(report),
            Some(_) if first => self.write(report),
            Some(path) => self.append(path, &self.rendered(report, false)?),
        }
    }

    /// Writes what stands after several reports. JSON is for programs, which count for themselves.
    pub(crate) fn write_end(&self, text: &str) -> anyhow::Result<()> {
        match &self.out {
            _ if self.format != "text" => Ok(()),
            Some(path) => self.append(path, text),
            None => Ok(terminal::show(text)?),
        }
    }

    fn append(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let mut options = fs::OpenOptions::new();
        let opened = options.append(true).create(true).open(path);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| path.display().to_string())
    }

    fn rendered(&self, report: &RunReport, on_terminal: bool) -> anyhow::Result<String> {
        let format = shakedown_report::format(&self.format)
            .ok_or_else(|| anyhow!("no format is called {:?}", self.format))?;
        let style = terminal::style();
        let colour = style.colour && on_terminal;
        Ok((format.render)(report, Style { colour, ..style }))
    }

    pub(crate) fn write(&self, report: &RunReport) -> anyhow::Result<()> {
        match &self.out {
            Some(path) => fs::write(path, self.rendered(report, false)?)
                .with_context(|| path.display().to_string()),
            None => Ok(terminal::show(&self.rendered(report, true)?)?),
        }
    }
}
