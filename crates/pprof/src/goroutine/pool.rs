//! Texts, frames, stacks and label sets of a dump, each kept once.
//!
//! A hundred thousand goroutines share a few hundred stacks; a 64 MiB dump
//! becomes a few MiB.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Frame, Label};
use crate::DecodeError;
use crate::limits::Budget;

/// Allocator and map overhead of one kept text, estimated.
const TEXT_COST: usize = 64;
/// The same of one frame or stack.
const ROW_COST: usize = 96;

pub(super) struct Pool<'t> {
    budget: Budget,
    texts: HashSet<Arc<str>>,
    frames: Vec<Frame>,
    /// The first frame seen at a place; the text of a place (with its code
    /// offset) nearly always belongs to one function.
    by_place: HashMap<&'t str, u32>,
    /// Further functions at the same place: inlined calls.
    by_call: HashMap<(&'t str, &'t str), u32>,
    stacks: HashMap<Box<[u32]>, Arc<[Frame]>>,
    labels: HashMap<Vec<(String, String)>, Arc<[Label]>>,
}

impl<'t> Pool<'t> {
    pub(super) fn new(budget: Budget) -> Self {
        let mut pool = Pool {
            budget,
            texts: HashSet::new(),
            frames: Vec::new(),
            by_place: HashMap::new(),
            by_call: HashMap::new(),
            stacks: HashMap::new(),
            labels: HashMap::new(),
        };
        pool.stacks.insert(Box::default(), Arc::default());
        pool.labels.insert(Vec::new(), Arc::default());
        pool
    }

    /// Charges rows that the caller keeps.
    pub(super) fn charge<T>(&mut self) -> Result<(), DecodeError> {
        self.budget.rows::<T>(1)
    }

    pub(super) fn text(&mut self, text: &str) -> Result<Arc<str>, DecodeError> {
        if let Some(known) = self.texts.get(text) {
            return Ok(known.clone());
        }
        self.budget.bytes(text.len() + TEXT_COST)?;
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        Ok(text)
    }

    /// The number of the frame that `function` and the text of its place
    /// stand for; `read` takes the place apart when it is new.
    pub(super) fn frame(
        &mut self,
        function: &'t str,
        place: &'t str,
        read: impl FnOnce(&'t str) -> Option<(&'t str, u32)>,
    ) -> Result<Option<u32>, DecodeError> {
        let first = self.by_place.get(place).copied();
        if let Some(number) = first {
            if self.at(number).is_some_and(|f| &*f.function == function) {
                return Ok(Some(number));
            }
            if let Some(&number) = self.by_call.get(&(function, place)) {
                return Ok(Some(number));
            }
        }
        let Some((file, line)) = read(place) else {
            return Ok(None);
        };
        let number = self.new_frame(function, file, line)?;
        if first.is_none() {
            self.by_place.insert(place, number);
        } else {
            self.by_call.insert((function, place), number);
        }
        Ok(Some(number))
    }

    /// Keeps a frame and gives its number.
    pub(super) fn new_frame(
        &mut self,
        function: &str,
        file: &str,
        line: u32,
    ) -> Result<u32, DecodeError> {
        self.budget.bytes(size_of::<Frame>() + ROW_COST)?;
        let frame = Frame {
            function: self.text(function)?,
            file: self.text(file)?,
            line,
        };
        let number = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        self.frames.push(frame);
        Ok(number)
    }

    /// The frame of a number.
    pub(super) fn at(&self, number: u32) -> Option<&Frame> {
        self.frames.get(number as usize)
    }

    pub(super) fn stack(&mut self, numbers: &[u32]) -> Result<Arc<[Frame]>, DecodeError> {
        if let Some(known) = self.stacks.get(numbers) {
            return Ok(known.clone());
        }
        self.budget
            .bytes(numbers.len() * (size_of::<Frame>() + size_of::<u32>()) + ROW_COST)?;
        let stack: Arc<[Frame]> = numbers
            .iter()
            .filter_map(|&n| self.at(n).cloned())
            .collect();
        self.stacks.insert(numbers.into(), stack.clone());
        Ok(stack)
    }

    pub(super) fn labels(
        &mut self,
        pairs: Vec<(String, String)>,
    ) -> Result<Arc<[Label]>, DecodeError> {
        if let Some(known) = self.labels.get(&pairs) {
            return Ok(known.clone());
        }
        let mut labels = Vec::with_capacity(pairs.len());
        for (key, value) in &pairs {
            self.budget.bytes(key.len() + value.len() + ROW_COST)?;
            labels.push(Label {
                key: self.text(key)?,
                value: self.text(value)?,
            });
        }
        let labels: Arc<[Label]> = labels.into();
        self.budget.bytes(ROW_COST)?;
        self.labels.insert(pairs, labels.clone());
        Ok(labels)
    }
}

/// Splits `file:line`.
pub(super) fn file_and_line(place: &str) -> Option<(&str, u32)> {
    let (file, line) = place.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}
