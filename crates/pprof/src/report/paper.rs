//! Text that is given away piece by piece while it is written.

/// What is collected before it is given away: a pipe's worth.
const PIECE: usize = 64 << 10;

/// A growing text in front of an exit.
pub(crate) struct Paper<'o> {
    pub(crate) text: String,
    out: &'o mut dyn FnMut(&[u8]),
}

impl<'o> Paper<'o> {
    pub(crate) fn on(out: &'o mut dyn FnMut(&[u8])) -> Self {
        let text = String::with_capacity(PIECE + PIECE / 8);
        Paper { text, out }
    }

    /// To be called after each row: gives the text away once there is enough of it.
    #[inline]
    pub(crate) fn row_done(&mut self) {
        if self.text.len() >= PIECE {
            self.give();
        }
    }

    fn give(&mut self) {
        (self.out)(self.text.as_bytes());
        self.text.clear();
    }

    /// Appends a number: rows are made of them, and `write!` takes ten times as long.
    pub(crate) fn number(&mut self, mut number: u64) {
        // 2^64 has twenty digits.
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        for place in digits.iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            first -= 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        let digits = digits.iter().skip(first).map(|&digit| char::from(digit));
        self.text.extend(digits);
    }
}

impl Drop for Paper<'_> {
    fn drop(&mut self) {
        self.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_text() {
        let (mut whole, mut pieces) = (Vec::new(), 0);
        let mut out = |piece: &[u8]| {
            whole.extend_from_slice(piece);
            pieces += 1;
        };
        let mut paper = Paper::on(&mut out);
        let numbers = [0, 7, 10, 12_345, u64::MAX];
        for number in numbers.into_iter().cycle().take(50_000) {
            paper.number(number);
            paper.text.push(' ');
            paper.row_done();
        }
        drop(paper);
        let wanted: String = numbers.iter().map(|n| format!("{n} ")).collect();
        assert_eq!(whole, wanted.repeat(10_000).into_bytes());
        assert!(pieces > 3, "{pieces}");
    }
}
