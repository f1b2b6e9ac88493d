//! Every report of `go tool pprof`, byte for byte.
//!
//! [`run`] takes a profile, filters it, aggregates it and prints one
//! [`Command`]. Fetching, merging and symbolizing come before; files, gzip and
//! Graphviz come after, and live outside of this crate.
//!
//! To add a report: one file here, one line in [`Command`] and in `print`.
//!
//! Source: google/pprof, internal/driver/driver.go `generateReport`.

mod aggregate;
mod callgrind;
mod combine;
mod comments;
mod dot;
mod error;
mod export;
mod filter;
mod gofmt;
mod graph;
mod header;
mod heap_sites;
mod list;
mod measurement;
mod merging;
mod nodelets;
mod options;
mod paper;
mod proto;
mod raw;
mod short_names;
mod source;
mod tabs;
mod tags;
mod text;
mod topproto;
mod traces;
mod tree;
mod trim_path;
mod units;
mod weblist;

pub use combine::{CombineError, Difference, combine, subtract};
pub use error::ReportError;
pub use gofmt::Zone;
pub use merging::Merging;
pub use options::{Granularity, Options, Sort};
pub use raw::raw;
pub use source::{NoSources, Sources};

use crate::{Columns, Pattern, Profile};
use graph::{Frames, Limits, Need, TagUnits, Trimmed, Weights, trimmed};
use paper::Paper;
use units::NumericUnits;

/// What to print; regular expressions are Go's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Nodes with the most value (`-top`, `-text`).
    Top,
    /// Nodes with callers and callees.
    Tree,
    /// Callers and callees of what matches.
    Peek(String),
    /// Source lines of what matches.
    List(String),
    /// The same as a web page.
    WebList(String),
    /// Every sample.
    Traces,
    /// Labels and their values.
    Tags,
    /// The profile's tables as text.
    Raw,
    /// The profile's comments.
    Comments,
    /// A graph for Graphviz.
    Dot,
    /// A graph for KCachegrind.
    Callgrind,
    /// The profile itself, not compressed.
    Proto,
    /// The nodes of `Top` as a profile, not compressed.
    TopProto,
    /// Stacks as lines, for flame graphs of other programs.
    Folded,
    /// The nodes of `Top` as JSON.
    Json,
    /// The nodes of `Top` as comma-separated values.
    Csv,
    /// All four values of a heap profile for each place that allocates.
    HeapSites,
    /// Stacks for speedscope.app.
    Speedscope,
    /// A flame graph as one HTML file.
    Flame,
}

/// Prints `command`, with source files from `sources`; what else a person should
/// know goes to `notes`.
///
/// # Errors
/// [`ReportError`] with the original's text.
pub fn run(
    profile: Profile,
    command: &Command,
    options: &Options,
    sources: &dyn Sources,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, ReportError> {
    let mut report = Vec::new();
    let mut out = |bytes: &[u8]| report.extend_from_slice(bytes);
    run_to(profile, command, options, sources, notes, &mut out)?;
    Ok(report)
}

/// As [`run`], but gives the report to `out` piece by piece: a listing of all samples
/// is many times as large as its profile.
///
/// # Errors
/// As [`run`]; nothing was given to `out` then.
pub fn run_to(
    mut profile: Profile,
    command: &Command,
    options: &Options,
    sources: &dyn Sources,
    notes: &mut Vec<String>,
    out: &mut dyn FnMut(&[u8]),
) -> Result<(), ReportError> {
    let units = NumericUnits::of(&profile, notes);
    let options = overrides(command, options);
    filter::add_tag_frames(&mut profile, &options, notes);
    if options.relative_percentages {
        filter::apply(&mut profile, &units, &options, notes)?;
    }
    let mut report = Report::new(command, &options, units, &profile)?;
    if !options.relative_percentages {
        filter::apply(&mut profile, &report.units, &options, notes)?;
    }
    let is_data = matches!(command, Command::Proto | Command::TopProto | Command::Raw);
    if options.short_names && !is_data {
        short_names::shorten(&mut profile);
    }
    aggregate::aggregate(&mut profile, &options);
    report.print(profile, sources, out)
}

/// Which columns of samples a report looks at; [`Profile::decode_columns`] leaves the
/// others out.
pub fn columns(command: &Command, options: &Options) -> Columns {
    let prints_no_labels = matches!(
        command,
        Command::Top
            | Command::TopProto
            | Command::Tree
            | Command::Peek(_)
            | Command::List(_)
            | Command::WebList(_)
            | Command::Json
            | Command::Csv
            | Command::HeapSites
            | Command::Folded
            | Command::Speedscope
            | Command::Flame
            | Command::Comments
    );
    let prints_no_stacks = matches!(command, Command::Tags | Command::Comments);
    Columns {
        labels: !prints_no_labels || filter::reads_labels(options),
        stacks: !prints_no_stacks || filter::reads_stacks(options),
    }
}

/// What some commands need of the options, whatever was given.
fn overrides(command: &Command, options: &Options) -> Options {
    let mut options = options.clone();
    let mut trim = options.trim;
    match command {
        Command::Peek(_) => trim = false,
        Command::List(_) => {
            trim = false;
            options.granularity = Some(Granularity::Lines);
        }
        Command::WebList(_) => {
            trim = false;
            options.granularity = Some(Granularity::Addresses);
            options.no_inlines = false;
        }
        Command::HeapSites => {
            options.granularity.get_or_insert(Granularity::Lines);
            options.node_count = options.node_count.max(0);
        }
        Command::Top | Command::TopProto | Command::Json | Command::Csv
            if options.node_count == -1 =>
        {
            options.node_count = 0;
        }
        _ if options.node_count == -1 => options.node_count = 80,
        _ => {}
    }
    if matches!(command, Command::Proto | Command::Raw | Command::Callgrind) {
        trim = false;
        options.granularity = Some(Granularity::Addresses);
    }
    if !trim {
        options.node_count = 0;
        options.node_fraction = 0.0;
        options.edge_fraction = 0.0;
    }
    options
}

/// One report under way.
struct Report<'o> {
    command: &'o Command,
    options: &'o Options,
    units: NumericUnits,
    weights: Weights,
    /// The sample type as the head names it, and its unit.
    kind: String,
    unit: String,
    /// What values are multiplied by.
    ratio: f64,
    /// What percentages are of.
    total: i64,
    /// The unit that values are shown in.
    shown_unit: String,
    /// The expression that chooses nodes.
    symbol: Option<Pattern>,
    /// The main program, without directories.
    title: String,
}

impl<'o> Report<'o> {
    fn new(
        command: &'o Command,
        options: &'o Options,
        units: NumericUnits,
        profile: &Profile,
    ) -> Result<Self, ReportError> {
        let index = error::sample_index(profile, &options.sample_index)?;
        let kind = profile.sample_types().get(index).copied();
        let kind = kind.unwrap_or_default();
        if options.divide_by == 0.0 {
            return Err(ReportError::ZeroDivisor);
        }
        let symbol = match command {
            Command::Peek(source) | Command::List(source) | Command::WebList(source) => {
                Some(error::argument(source)?)
            }
            _ => None,
        };
        let weights = Weights {
            index,
            mean: options.mean,
        };
        let prefix = if options.mean { "mean_" } else { "" };
        let main = profile
            .mappings()
            .first()
            .map_or("", |m| profile.text(m.file));
        Ok(Report {
            command,
            options,
            units,
            weights,
            kind: format!("{prefix}{}", profile.text(kind.kind)),
            unit: profile.text(kind.unit).to_owned(),
            ratio: 1.0 / options.divide_by,
            total: header::total(profile, weights),
            shown_unit: options.unit.clone(),
            symbol,
            title: match main {
                "" => String::new(),
                main => crate::paths::base(main).to_owned(),
            },
        })
    }

    fn print(
        &mut self,
        profile: Profile,
        sources: &dyn Sources,
        out: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ReportError> {
        let text = match self.command {
            Command::Top => self.top(&profile),
            Command::Tree | Command::Peek(_) => self.tree(&profile)?,
            Command::List(_) => {
                let mut reader = source::Reader::new(sources, self.options);
                self.list(&profile, &mut reader)?
            }
            Command::WebList(_) => {
                let mut reader = source::Reader::new(sources, self.options);
                self.web_list(&profile, &mut reader)?
            }
            Command::Traces => {
                self.traces(&profile, &mut Paper::on(out));
                return Ok(());
            }
            Command::Tags => self.tags(&profile),
            Command::Raw => {
                raw::write(&profile, &self.options.zone, &mut Paper::on(out));
                return Ok(());
            }
            Command::Folded => self.folded(&profile),
            Command::Json => self.json(&profile),
            Command::Csv => self.csv(&profile),
            Command::Speedscope => self.speedscope(&profile),
            Command::Flame => self.flame(&profile),
            Command::HeapSites => self.heap_sites(&profile)?,
            Command::Comments => comments::comments(&profile),
            Command::Dot => self.dot(&profile),
            Command::Callgrind => self.callgrind(&profile),
            Command::Proto => {
                out(&self.proto(profile));
                return Ok(());
            }
            Command::TopProto => {
                out(&self.top_proto(&profile));
                return Ok(());
            }
        };
        out(text.as_bytes());
        Ok(())
    }

    /// A value as people read it.
    fn value(&self, value: i64) -> String {
        measurement::scaled_label(self.scaled(value), &self.unit, &self.shown_unit)
    }

    /// A value divided by `divide_by`.
    fn scaled(&self, value: i64) -> i64 {
        match self.ratio > 0.0 && self.ratio != 1.0 {
            true => gofmt::to_int(value as f64 * self.ratio),
            false => value,
        }
    }

    /// Nodes of every location, with the paths of files trimmed.
    fn frames<'p>(&self, profile: &'p Profile) -> Frames<'p> {
        let trim =
            |path: &str| trim_path::trim(path, &self.options.trim_path, &self.options.source_path);
        let objects = matches!(self.command, Command::Callgrind | Command::List(_));
        Frames::of(profile, objects, Some(&trim))
    }

    /// The graph that this report prints; also chooses the unit it is shown in.
    fn graph<'p>(&mut self, profile: &'p Profile, need: Need) -> Trimmed<'p> {
        let drawn = matches!(self.command, Command::Dot | Command::Callgrind);
        let limits = Limits {
            nodes: self.options.node_count,
            node_fraction: self.options.node_fraction,
            edge_fraction: self.options.edge_fraction,
            sort: self.options.sort,
            drop_negative: self.options.drop_negative,
            call_tree: self.options.call_tree && drawn,
        };
        let units = TagUnits {
            bytes: self.units.of_key("bytes"),
            shown: &self.options.unit,
        };
        let frames = self.frames(profile);
        let trimmed = trimmed(profile, frames, self.weights, need, &limits, &units);
        header::choose_unit(self, &trimmed.graph);
        trimmed
    }
}
