//! Columns of text, right-aligned, as Go's text/tabwriter lays them out.
//!
//! A cell ends with a tab; what follows the last tab of a line belongs to no
//! column. A column is a run of lines that have a cell there, and is one blank
//! wider than its widest cell.
//!
//! Source: Go, text/tabwriter, with padding 1 and AlignRight.

pub(super) fn align(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut block: Vec<Vec<&str>> = Vec::new();
    for line in text.split_inclusive('\n') {
        let cells: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
        let alone = cells.len() == 1;
        block.push(cells);
        // A line without columns separates those above from those below.
        if alone {
            columns(&block, &mut Vec::new(), &mut out);
            block.clear();
        }
    }
    columns(&block, &mut Vec::new(), &mut out);
    out
}

/// Writes `lines`, whose first `widths.len()` columns are already measured.
fn columns(lines: &[Vec<&str>], widths: &mut Vec<usize>, out: &mut String) {
    let column = widths.len();
    let has = |line: &Vec<&str>| line.len() > column + 1;
    let mut from = 0;
    while from < lines.len() {
        let rest = lines.get(from..).unwrap_or(&[]);
        let plain = rest.iter().take_while(|l| !has(l)).count();
        rest.iter().take(plain).for_each(|l| write(l, widths, out));
        let rest = rest.get(plain..).unwrap_or(&[]);
        let run = rest.iter().take_while(|l| has(l)).count();
        let run_lines = rest.get(..run).unwrap_or(&[]);
        let cells = run_lines.iter().filter_map(|l| l.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        if run > 0 {
            widths.push(widest + 1);
            columns(run_lines, widths, out);
            widths.pop();
        }
        from += plain + run;
    }
}

fn write(line: &[&str], widths: &[usize], out: &mut String) {
    for (i, cell) in line.iter().enumerate() {
        let width = widths.get(i).copied().unwrap_or(0);
        let padding = width.saturating_sub(cell.chars().count());
        out.extend(std::iter::repeat_n(' ', padding));
        out.push_str(cell);
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_aligned_to_the_right() {
        let text = "key:\t total\n \t1:\t a\n \t100:\t b\n\nk:\t x\n";
        let aligned = " key: total\n        1: a\n      100: b\n\n k: x\n";
        assert_eq!(super::align(text), aligned);
    }
}
