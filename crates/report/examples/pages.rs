//! Writes the HTML reports of the sample runs into a folder, for eyes and for the browser test:
//! `cargo run -p shakedown-report --example pages -- DIR`.

use std::path::Path;

use shakedown_report::html;

#[path = "../tests/report/poison.rs"]
mod poison;
#[path = "../tests/report/sample_findings.rs"]
mod sample_findings;
#[path = "../tests/report/samples.rs"]
mod samples;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let pages = [
        ("healthy", samples::healthy()),
        ("faulty", samples::faulty()),
        ("little-known", samples::little_known()),
        ("early-exit", samples::early_exit()),
        ("hostile", samples::hostile()),
        ("everything", samples::everything()),
        ("markup", poison::poisoned(&poison::markup())),
    ];
    std::fs::create_dir_all(&folder)?;
    for (name, report) in pages {
        let path = Path::new(&folder).join(format!("{name}.html"));
        std::fs::write(path, html::render(&report))?;
    }
    Ok(())
}
