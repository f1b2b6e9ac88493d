//! Where lines may break: between words of prose, and between words of a shell command.

use crate::ink::{Cell, Ink, columns};

/// Units that stay beside their number.
const UNITS: &[&str] = &[
    "ms", "s", "µs", "us", "min", "h", "%", "B", "kB", "MB", "GB",
];

/// Breaks at the last space that fits; a word wider than the room is broken where it must be.
pub(crate) fn wrap(cells: &[Cell], room: usize) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    let mut rest = cells;
    loop {
        let start = rest.iter().position(|cell| cell.character != ' ');
        let Some(start) = start else { break };
        rest = &rest[start..];
        let fits = fitting(rest, room);
        if fits == rest.len() {
            lines.push(rest.to_vec());
            break;
        }
        let end = (0..=fits).rfind(|at| may_break(rest, *at)).unwrap_or(fits);
        lines.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    lines
}

/// At spaces, but not between a number and its unit.
fn may_break(cells: &[Cell], at: usize) -> bool {
    if cells[at].character != ' ' {
        return false;
    }
    let number = at > 0 && cells[at - 1].character.is_ascii_digit();
    if !number {
        return true;
    }
    let word = cells[at + 1..].iter().map(|cell| cell.character);
    let unit: String = word
        .take(4)
        .take_while(|character| character.is_alphabetic() || *character == '%')
        .collect();
    !UNITS.contains(&unit.as_str())
}

/// How many of the cells fit, one at least so that wrapping always ends.
fn fitting(cells: &[Cell], room: usize) -> usize {
    let mut used = 0;
    let fits = |cell: &&Cell| {
        used += cell.width();
        used <= room
    };
    cells.iter().take_while(fits).count().max(1)
}

/// The cells that fit.
pub(crate) fn clip(mut cells: Vec<Cell>, room: usize) -> Vec<Cell> {
    if columns(&cells) > room {
        cells.truncate(fitting(&cells, room));
    }
    cells
}

/// The cells, with spaces behind them up to a width.
pub(crate) fn padded(mut cells: Vec<Cell>, width: usize) -> Vec<Cell> {
    let missing = width.saturating_sub(columns(&cells));
    let space = Cell {
        character: ' ',
        ink: Ink::Plain,
    };
    cells.extend(std::iter::repeat_n(space, missing));
    cells
}

/// Splits at spaces outside quotes, so that a break never changes what the command does.
pub(crate) fn shell_words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, character) in command.char_indices() {
        match (character, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            (' ', None) => {
                words.push(&command[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&command[start..]);
    words.retain(|word| !word.is_empty());
    words
}

/// Puts as many words on a line as fit beside a continuation mark.
pub(crate) fn packed(words: &[Vec<Cell>], room: usize) -> Vec<Vec<Cell>> {
    let plain = |text: &str| -> Vec<Cell> {
        let cell = |character| Cell {
            character,
            ink: Ink::Code,
        };
        text.chars().map(cell).collect()
    };
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    for (position, word) in words.iter().enumerate() {
        let continues = if position + 1 < words.len() { 2 } else { 0 };
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) + continues <= room => {
                line.extend(plain(" "));
                line.extend(word);
            }
            Some(line) => {
                line.extend(plain(" \\"));
                lines.push(word.clone());
            }
            None => lines.push(word.clone()),
        }
    }
    lines
}
