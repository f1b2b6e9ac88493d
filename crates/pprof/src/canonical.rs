//! A profile with its texts and labels in the order in which Go writes them.

use crate::strings::Strings;
use crate::{Label, LabelValue, Profile, StringId};

impl Profile {
    /// The same profile with only the texts that are used, in the order of their
    /// use, and labels sorted by name, texts first. Encoded, it has the bytes that
    /// google/pprof writes (`profile/encode.go`, `preEncode`).
    #[must_use]
    pub fn canonical(&self) -> Profile {
        let mut new = self.clone();
        let mut order = Order {
            old: &self.strings,
            new: Strings::default(),
            known: vec![None; self.strings.len()],
        };
        for kind in &mut new.sample_types {
            order.map(&mut kind.kind);
            order.map(&mut kind.unit);
        }
        new.samples.labels.clear();
        let mut ends = Vec::with_capacity(new.samples.ends.len());
        let mut location_end = 0;
        let mut labels: Vec<Label> = Vec::new();
        for sample in self.samples() {
            location_end += sample.locations.len();
            labels.clear();
            labels.extend(sample.labels.iter().copied().filter(|l| {
                let none = LabelValue::Number {
                    value: 0,
                    unit: StringId::default(),
                };
                l.value != none
            }));
            labels.sort_by_key(|l| {
                let number = matches!(l.value, LabelValue::Number { .. });
                (number, self.text(l.key))
            });
            for mut label in labels.drain(..) {
                order.map(&mut label.key);
                match &mut label.value {
                    LabelValue::Text(text) => order.map(text),
                    LabelValue::Number { unit, .. } => order.map(unit),
                }
                new.samples.labels.push(label);
            }
            ends.push((location_end, new.samples.labels.len()));
        }
        new.samples.ends = ends;
        for mapping in &mut new.mappings {
            order.map(&mut mapping.file);
            order.map(&mut mapping.build_id);
        }
        for function in &mut new.functions {
            order.map(&mut function.name);
            order.map(&mut function.system_name);
            order.map(&mut function.file);
        }
        order.map(&mut new.drop_frames);
        order.map(&mut new.keep_frames);
        order.map(&mut new.period_type.kind);
        order.map(&mut new.period_type.unit);
        new.comments.iter_mut().for_each(|c| order.map(c));
        order.map(&mut new.default_sample_type);
        order.map(&mut new.doc_url);
        new.strings = order.new;
        new
    }
}

struct Order<'p> {
    old: &'p Strings,
    new: Strings,
    known: Vec<Option<StringId>>,
}

impl Order<'_> {
    fn map(&mut self, id: &mut StringId) {
        let text = self.old.get(*id).unwrap_or("");
        let Some(known) = self.known.get_mut(id.index()) else {
            *id = StringId::default();
            return;
        };
        *id = *known.get_or_insert_with(|| self.new.intern(text));
    }
}
