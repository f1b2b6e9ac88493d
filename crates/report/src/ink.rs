//! Pieces of text with a role, before they are laid out.
//!
//! Every piece passes [`harmless`] on its way in, so no renderer can forget it. Colours are
//! chosen here alone, by role.

use unicode_width::UnicodeWidthChar;

use crate::harmless::{ascii, harmless};

/// How the terminal is: decided by the caller, never looked up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns; lines are laid out for 20 to 112 of them.
    pub width: usize,
    /// Whether colour codes may be written.
    pub colour: bool,
    /// Whether characters beyond ASCII may be written.
    pub unicode: bool,
}

impl Default for Style {
    /// For a file: no colour, as wide as the layout goes well.
    fn default() -> Self {
        Self {
            width: 100,
            colour: false,
            unicode: true,
        }
    }
}

/// The role of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    /// What the eye should find.
    Strong,
    /// What may be skipped.
    Faint,
    /// A proof.
    Good,
    /// A finding that stops a launch.
    Bad,
    /// A warning, or something unproven.
    Doubt,
    /// Code and commands.
    Code,
}

impl Ink {
    /// Parameters of the colour sequence (ECMA-48, SGR).
    pub(crate) const fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Doubt => "1;33",
            Self::Code => "36",
        }
    }
}

/// One character and its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) character: char,
    pub(crate) ink: Ink,
}

impl Cell {
    /// Columns that the character takes.
    pub(crate) fn width(self) -> usize {
        self.character.width().unwrap_or(0)
    }
}

/// A line of text in several inks, not yet wrapped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    spans: Vec<(Ink, String)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::of(Ink::Plain, text)
    }

    pub(crate) fn of(ink: Ink, text: &str) -> Self {
        Self::new().and(ink, text)
    }

    /// Adds text, made harmless.
    pub(crate) fn and(mut self, ink: Ink, text: &str) -> Self {
        self.spans.push((ink, harmless(text)));
        self
    }

    /// Adds another line's text.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// Puts lines one behind the other with a faint separator between them.
    pub(crate) fn list(lines: impl IntoIterator<Item = Self>, separator: &str) -> Self {
        let mut list = Self::new();
        for line in lines {
            if !list.is_empty() {
                list = list.and(Ink::Faint, separator);
            }
            list = list.join(line);
        }
        list
    }

    /// Forbids line breaks inside.
    pub(crate) fn glued(mut self) -> Self {
        for (_, text) in &mut self.spans {
            *text = text.replace(' ', "\u{a0}");
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.iter().all(|(_, text)| text.is_empty())
    }

    /// The pieces with their roles.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (Ink, &str)> {
        self.spans.iter().map(|(ink, text)| (*ink, text.as_str()))
    }

    /// The characters as they will be printed in this style.
    pub(crate) fn cells(&self, style: Style) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (ink, text) in &self.spans {
            let cell = |character| Cell {
                character,
                ink: *ink,
            };
            if style.unicode {
                cells.extend(text.chars().map(cell));
            } else {
                for character in text.chars() {
                    cells.extend(ascii(character).chars().map(cell));
                }
            }
        }
        cells
    }

    /// Columns that the line takes in this style.
    pub(crate) fn width(&self, style: Style) -> usize {
        columns(&self.cells(style))
    }
}

/// Columns that the cells take.
pub(crate) fn columns(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.width()).sum()
}
