//! `shakedown replay DIR`: the same report again, byte for byte, from the bundle alone.

use std::path::PathBuf;

use anyhow::Context;
use shakedown_checklist::assess;
use shakedown_evidence::bundle;

use super::output::Output;
use crate::exit::{self, Ended};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the bundle, as printed at the end of a run
    dir: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args) -> Ended {
    let seen = bundle::read(&args.dir).context("replay")?;
    let report = assess(&seen);
    args.output.write(&report)?;
    Ok(exit::of(report.verdict))
}
