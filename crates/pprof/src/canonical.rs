//! A profile with its texts and labels in the order in which Go writes them.

use crate::samples::Samples;
use crate::strings::Strings;
use crate::{Label, LabelValue, Profile, StringId};

impl Profile {
    /// The same profile with only the texts that are used, in the order of their
    /// use, and labels sorted by name, texts first. Encoded, it has the bytes that
    /// google/pprof writes (`profile/encode.go`, `preEncode`).
    #[must_use]
    pub fn canonical(self) -> Profile {
        let mut new = self;
        let old = std::mem::take(&mut new.strings);
        let mut order = Order {
            known: vec![None; old.len()],
            old,
            new: Strings::default(),
        };
        for kind in &mut new.sample_types {
            order.map(&mut kind.kind);
            order.map(&mut kind.unit);
        }
        order.labels(&mut new.samples);
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

struct Order {
    old: Strings,
    new: Strings,
    known: Vec<Option<StringId>>,
}

impl Order {
    /// Sorts the labels of each sample and leaves out what says nothing.
    fn labels(&mut self, samples: &mut Samples) {
        let none = LabelValue::Number {
            value: 0,
            unit: StringId::default(),
        };
        // Where the labels of the sample began, and how many were kept of those before.
        let (mut from, mut kept) = (0, 0);
        let mut labels: Vec<Label> = Vec::new();
        for (_, end) in &mut samples.ends {
            let set = samples.labels.get(from..*end).unwrap_or(&[]).iter();
            labels.clear();
            labels.extend(set.filter(|l| l.value != none));
            labels.sort_by_key(|l| {
                let number = matches!(l.value, LabelValue::Number { .. });
                (number, self.old.get(l.key).unwrap_or(""))
            });
            from = *end;
            *end = kept + labels.len();
            for (place, label) in samples.labels.iter_mut().skip(kept).zip(&mut labels) {
                self.map(&mut label.key);
                match &mut label.value {
                    LabelValue::Text(text) => self.map(text),
                    LabelValue::Number { unit, .. } => self.map(unit),
                }
                *place = *label;
            }
            kept = *end;
        }
        samples.labels.truncate(kept);
    }

    fn map(&mut self, id: &mut StringId) {
        let text = self.old.get(*id).unwrap_or("");
        let Some(known) = self.known.get_mut(id.index()) else {
            *id = StringId::default();
            return;
        };
        *id = *known.get_or_insert_with(|| self.new.intern(text));
    }
}
