//! Pieces of evidence in a form that every report can draw.

use serde::{Deserialize, Serialize};

/// One piece of evidence shown with a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Exhibit {
    /// A figure over marks, drawn as a step chart.
    Series {
        /// What is counted.
        title: String,
        /// The values in order.
        points: Vec<Point>,
    },
    /// Moments of one call or one stop, in order.
    Timeline {
        /// What the moments belong to.
        title: String,
        /// The moments, earliest first.
        moments: Vec<Moment>,
    },
    /// A stack, leaf first.
    Stack {
        /// Whose stack it is.
        title: String,
        /// Frames as `function file:line`, leaf first.
        frames: Vec<String>,
    },
    /// An excerpt of the service's source.
    Source {
        /// File as recorded in the executable.
        file: String,
        /// The line that matters.
        line: u32,
        /// The excerpt.
        lines: Vec<SourceLine>,
    },
    /// Lines or facts quoted as they came, cut to a bound.
    Quote {
        /// Where they came from.
        title: String,
        /// The lines.
        lines: Vec<String>,
    },
}

/// One value of a [`Exhibit::Series`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The mark that the value was taken after.
    pub label: String,
    /// The value.
    pub value: f64,
}

/// One moment of a [`Exhibit::Timeline`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time since the first moment, in microseconds.
    pub at_us: u64,
    /// What happened.
    pub what: String,
}

/// One line of a [`Exhibit::Source`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// Line, counted from 1.
    pub number: u32,
    /// Its text without the line end.
    pub text: String,
}
