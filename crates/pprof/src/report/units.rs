//! Labels as google/pprof holds them: texts and numbers by key, and the unit of
//! each numeric key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{Label, LabelValue, Profile, Sample, StringId};

/// False for the number 0 without unit, which is how the format writes "none".
pub(crate) fn is_set(label: &Label) -> bool {
    label.value
        != LabelValue::Number {
            value: 0,
            unit: StringId::default(),
        }
}

/// The labels of one sample, by key.
#[derive(Default)]
pub(crate) struct LabelSet<'p> {
    pub(crate) texts: BTreeMap<&'p str, Vec<&'p str>>,
    pub(crate) numbers: BTreeMap<&'p str, Numbers<'p>>,
}

/// The numbers of one key; `units` is empty where none has one.
#[derive(Default)]
pub(crate) struct Numbers<'p> {
    pub(crate) values: Vec<i64>,
    pub(crate) units: Vec<&'p str>,
}

impl<'p> LabelSet<'p> {
    pub(crate) fn of(profile: &'p Profile, sample: &Sample<'_>) -> Self {
        let mut set = LabelSet::default();
        for label in sample.labels.iter().filter(|l| is_set(l)) {
            let key = profile.text(label.key);
            match label.value {
                LabelValue::Text(text) => {
                    set.texts.entry(key).or_default().push(profile.text(text));
                }
                LabelValue::Number { value, unit } => {
                    let numbers = set.numbers.entry(key).or_default();
                    let unit = profile.text(unit);
                    if !unit.is_empty() {
                        numbers.units.resize(numbers.values.len(), "");
                        numbers.units.push(unit);
                    }
                    numbers.values.push(value);
                }
            }
        }
        for numbers in set.numbers.values_mut() {
            if !numbers.units.is_empty() {
                numbers.units.resize(numbers.values.len(), "");
            }
        }
        set
    }
}

/// The unit of each numeric label: the first that was seen, else a guess.
#[derive(Debug, Default)]
pub(crate) struct NumericUnits {
    by_key: HashMap<String, String>,
}

impl NumericUnits {
    /// Looks at every label; keys with several units are told in `notes`.
    pub(crate) fn of(profile: &Profile, notes: &mut Vec<String>) -> Self {
        let mut seen: BTreeSet<(StringId, StringId)> = BTreeSet::new();
        let mut order = Vec::new();
        let mut last = None;
        for label in profile.samples.naming_units().iter().filter(|l| is_set(l)) {
            if let LabelValue::Number { unit, .. } = label.value
                && last != Some((label.key, unit))
            {
                last = Some((label.key, unit));
                if seen.insert((label.key, unit)) {
                    order.push((label.key, unit));
                }
            }
        }
        let mut by_key: HashMap<String, String> = HashMap::new();
        let mut others: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key, unit) in &order {
            let (key, unit) = (profile.text(*key), profile.text(*unit));
            if unit.is_empty() {
                continue;
            }
            let first = by_key.entry(key.to_owned()).or_insert(unit.to_owned());
            if first != unit {
                let others = others.entry(key.to_owned()).or_default();
                others.insert(unit.to_owned());
            }
        }
        for (key, _) in order {
            let key = profile.text(key);
            let guess = match key {
                "alignment" | "request" => "bytes",
                key => key,
            };
            by_key
                .entry(key.to_owned())
                .or_insert_with(|| guess.to_owned());
        }
        let units = NumericUnits { by_key };
        for (key, others) in others {
            let list = others.into_iter().collect::<Vec<_>>().join(", ");
            let used = units.of_key(&key);
            notes.push(format!(
                "For tag {key} used unit {used}, also encountered unit(s) {list}"
            ));
        }
        units
    }

    /// The unit of `key`; empty where no sample had it.
    pub(crate) fn of_key(&self, key: &str) -> &str {
        self.by_key.get(key).map_or("", String::as_str)
    }
}
