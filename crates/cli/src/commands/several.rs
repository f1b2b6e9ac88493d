//! Several services of one configuration, one after another: each has its bundle and its report,
//! and a summary at the end says what the run came to.
//!
//! One after another, because audits measure milliseconds, and two services at once would each be
//! the other's load.

use anyhow::{Context, bail};
use clap::ArgMatches;
use shakedown_acquire::follow::LogSource;
use shakedown_checklist::Settings;
use shakedown_checklist::config::FILE;
use shakedown_findings::RunReport;

use super::check::{Args, carry_out};
use super::settings::{self, settings};
use crate::exit::{self, Ended};
use crate::terminal;

/// The services that a run without `--service` is about, if these are several.
pub(crate) fn named(args: &Args) -> anyhow::Result<Option<Vec<String>>> {
    let one = args.service.is_some()
        || !args.command.is_empty()
        || args.pid.is_some()
        || !args.address.is_empty();
    if one {
        return Ok(None);
    }
    let Some((config, _)) = settings::read_config(args)? else {
        return Ok(None);
    };
    let names = config
        .services
        .iter()
        .map(|service| service.name().to_owned());
    Ok(Some(names.collect::<Vec<_>>()).filter(|names| names.len() > 1))
}

/// Checks each, whatever became of the one before.
pub(crate) fn run(args: &Args, words: &ArgMatches, names: &[String]) -> Ended {
    let all = prepared(args, words, names)?;
    let mut rows = Vec::new();
    for settings in &all {
        let came = carry_out(settings, args.silent);
        let row = match came {
            Ok((report, code)) => {
                args.output.write_next(&report, rows.is_empty())?;
                Row::of(settings, &report, code)
            }
            Err(error) => {
                let why = exit::chain(&error);
                // Most errors name it themselves.
                let named = why.starts_with(&settings.name);
                let before = if named { "" } else { settings.name.as_str() };
                let colon = if named { "" } else { ": " };
                terminal::complain(&format!("shakedown: {before}{colon}{why}"));
                Row {
                    name: settings.name.clone(),
                    word: "NOT CHECKED",
                    code: exit::USAGE,
                    rest: why.lines().next().unwrap_or_default().to_owned(),
                }
            }
        };
        let interrupted = row.code == exit::INTERRUPTED;
        rows.push(row);
        if interrupted {
            break;
        }
    }
    args.output.write_end(&summary(&rows, all.len()))?;
    Ok(worst(rows.iter().map(|row| row.code)))
}

/// Sees to it that every service can be begun with before the first one is.
fn prepared(args: &Args, words: &ArgMatches, names: &[String]) -> anyhow::Result<Vec<Settings>> {
    if !(args.grpc.is_empty() && args.http.is_empty()) {
        bail!(
            "{FILE} has several services ({}); which one is asked? --service NAME, or [[service.request]] in the file",
            names.join(", ")
        );
    }
    args.output.prepare_several()?;
    let of = |name: &String| {
        let mut args = args.clone();
        args.service = Some(name.clone());
        // A folder in the folder that was given.
        args.bundle = args.bundle.map(|folder| folder.join(name));
        settings(&args, words).with_context(|| format!("service {name}"))
    };
    let all: Vec<Settings> = names.iter().map(of).collect::<anyhow::Result<_>>()?;
    let reads_stdin = |settings: &&Settings| settings.logs.contains(&LogSource::Stdin);
    if all.iter().filter(reads_stdin).count() > 1 {
        bail!("only one service can have its log piped in (logs = \"-\"): --service NAME");
    }
    Ok(all)
}

/// What one service came to.
struct Row {
    name: String,
    word: &'static str,
    code: u8,
    rest: String,
}

impl Row {
    fn of(settings: &Settings, report: &RunReport, code: u8) -> Self {
        let findings = match report.findings.len() {
            0 => String::new(),
            1 => "1 finding, ".to_owned(),
            many => format!("{many} findings, "),
        };
        Self {
            name: settings.name.clone(),
            word: if code == exit::INTERRUPTED {
                "INTERRUPTED"
            } else {
                report.verdict.name()
            },
            code,
            rest: format!("{findings}{}", settings.out.display()),
        }
    }
}

/// One line a service, and those that were not begun.
fn summary(rows: &[Row], all: usize) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = format!("\n  {all} services\n");
    for row in rows {
        text.push_str(&format!(
            "    {:width$}  {:11}  {}\n",
            row.name, row.word, row.rest
        ));
    }
    let left = all - rows.len();
    if left > 0 {
        text.push_str(&format!("    {left} not begun\n"));
    }
    text
}

/// The exit code of all: the worst of theirs.
fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    // What could not be checked is worse than what was found.
    let order = [
        exit::INTERRUPTED,
        exit::OUR_BUG,
        exit::USAGE,
        exit::NOT_READY,
        exit::NOT_PROVEN,
        exit::READY,
    ];
    let place = |code: &u8| order.iter().position(|known| known == code);
    codes.min_by_key(place).unwrap_or(exit::USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_codes_counts() {
        for (codes, wanted) in [
            (&[0, 0][..], 0),
            (&[0, 3], 3),
            (&[3, 1, 0], 1),
            (&[1, 2, 3], 2),
            (&[130, 1], 130),
            (&[], 2),
        ] {
            assert_eq!(worst(codes.iter().copied()), wanted, "{codes:?}");
        }
    }

    #[test]
    fn the_summary_has_a_line_for_each_and_those_left() {
        let row = |name: &str, word, rest: &str| Row {
            name: name.into(),
            word,
            code: 0,
            rest: rest.into(),
        };
        let rows = [
            row("orders", "NOT READY", "2 findings, runs/a"),
            row("stock", "READY", "runs/b"),
        ];
        assert_eq!(
            summary(&rows, 3),
            "\n  3 services\n    orders  NOT READY    2 findings, runs/a\n    stock   READY        runs/b\n    1 not begun\n"
        );
    }
}
