//! Log lines: as they came, and what can be read from them.
//!
//! [`ParsedLine::read`] understands one line, [`classify`] says whether the service's own code
//! wrote it, [`template()`] and [`Templates`] bring lines of one log statement together. Nothing
//! here decides what is wrong: that is for the rules.
//!
//! To add a field name: one word in `names.rs`. To add a form of text line: one function in
//! `text.rs`, one alternative in [`ParsedLine::read`]. To add a collector that puts something
//! around lines: one function in `wrapped.rs`. To add a logger of a library: one row in
//! `noise.rs`.

mod class;
mod exported;
mod fields;
mod groups;
mod id;
mod json;
mod level;
mod line;
mod names;
mod noise;
mod pairs;
mod parsed;
mod template;
mod text;
mod timestamp;
mod wrapped;

pub use class::{LineClass, classify};
pub use exported::{ExportedLine, LogBatch};
pub use fields::Exchange;
pub use groups::{Group, OVERFLOW, Templates};
pub use id::{Id, Ids};
pub use level::Level;
pub use line::{LogEvent, RawLine, Stream};
pub use noise::Library;
pub use parsed::{Caller, Format, ParsedLine};
pub use template::template;
pub use wrapped::{CriPart, cri_part};

/// Does with bytes all that this module can: for fuzz targets.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    if let Some(part) = cri_part(bytes) {
        assert!(part.text <= bytes.len(), "a part begins within its line");
    }
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<ParsedLine> = text.lines().map(ParsedLine::read).collect();
    let mut templates = Templates::up_to(8);
    for (member, line) in lines.iter().enumerate() {
        let _ = classify(line);
        templates.add(member, line);
    }
    let grouped: usize = templates.groups().iter().map(|group| group.count).sum();
    assert_eq!(grouped, lines.len(), "a line was lost");
}
