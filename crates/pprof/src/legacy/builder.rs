//! A profile under construction: locations by address, rows within the budget.

use std::collections::HashMap;

use super::Parsed;
use crate::limits::Budget;
use crate::{Label, LabelValue, LocationId, Profile, ValueType};

pub(super) struct Builder {
    pub(super) profile: Profile,
    pub(super) budget: Budget,
    pub(super) by_address: HashMap<u64, LocationId>,
}

/// What one address costs: its row, its place in the map, and room to grow.
type LocationCost = [u64; 12];

impl Builder {
    pub(super) fn new(budget: Budget) -> Self {
        Builder {
            profile: Profile::default(),
            budget,
            by_address: HashMap::new(),
        }
    }

    /// Sets the sample types, given as (kind, unit).
    pub(super) fn sample_types(&mut self, types: &[(&str, &str)]) {
        self.profile.sample_types.clear();
        for (kind, unit) in types {
            let kind = self.value_type(kind, unit);
            self.profile.sample_types.push(kind);
        }
    }

    pub(super) fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType {
            kind: self.profile.intern(kind),
            unit: self.profile.intern(unit),
        }
    }

    pub(super) fn location(&mut self, address: u64) -> Parsed<LocationId> {
        if let Some(&known) = self.by_address.get(&address) {
            return Ok(known);
        }
        self.budget.rows::<LocationCost>(1)?;
        let location = self.profile.push_location(address, None, &[]);
        self.by_address.insert(address, location);
        Ok(location)
    }

    /// Adds a sample whose addresses follow calls, so that one less is in the
    /// call; the leaf is no call where `exact_leaf`.
    pub(super) fn sample(
        &mut self,
        addresses: &[u64],
        exact_leaf: bool,
        values: &[i64],
        bytes: Option<i64>,
    ) -> Parsed<()> {
        self.budget.rows::<LocationId>(addresses.len())?;
        self.budget.rows::<[u64; 8]>(1)?;
        let mut stack = Vec::with_capacity(addresses.len());
        for (i, &address) in addresses.iter().enumerate() {
            let exact = exact_leaf && i == 0;
            let address = if exact {
                address
            } else {
                address.wrapping_sub(1)
            };
            stack.push(self.location(address)?);
        }
        let labels = bytes.map(|value| Label {
            key: self.profile.intern("bytes"),
            value: LabelValue::Number {
                value,
                unit: crate::StringId::default(),
            },
        });
        let labels: Vec<Label> = labels.into_iter().collect();
        self.profile.push_sample(&stack, values, &labels);
        Ok(())
    }

    /// Rewrites every stack.
    pub(super) fn map_stacks(&mut self, mut map: impl FnMut(&Profile, &mut Vec<LocationId>)) {
        let mut stacks = Vec::with_capacity(self.profile.samples.locations.len());
        let mut ends = Vec::with_capacity(self.profile.samples.ends.len());
        let mut stack = Vec::new();
        for (sample, &(_, labels)) in self.profile.samples().zip(&self.profile.samples.ends) {
            stack.clear();
            stack.extend_from_slice(sample.locations);
            map(&self.profile, &mut stack);
            stacks.extend_from_slice(&stack);
            ends.push((stacks.len(), labels));
        }
        self.profile.samples.locations = stacks;
        self.profile.samples.ends = ends;
    }

    /// The profile handler may give the leaf twice, from the signal and from the
    /// unwound stack, where it was taken for a call.
    pub(super) fn drop_repeated_leaf(&mut self) {
        self.map_stacks(|profile, stack| {
            if let [leaf, next, ..] = stack.as_slice()
                && address(profile, *leaf) == address(profile, *next).wrapping_add(1)
            {
                stack.remove(1);
            }
        });
    }
}

pub(super) fn address(profile: &Profile, location: LocationId) -> u64 {
    let location = profile.locations().get(location.index());
    location.map_or(0, |l| l.address)
}
