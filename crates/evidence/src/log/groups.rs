//! Lines that one statement wrote, as far as that can be seen.
//!
//! The number of groups is bounded: what comes after the last one goes into a group of its own,
//! so that nothing is lost and nothing grows without end.

use std::collections::HashMap;

use super::parsed::{Caller, Format, ParsedLine};
use super::template::template;

/// Groups of one log. A service has hundreds of log statements, not thousands.
const GROUPS_MAX: usize = 1000;

/// Template of the group that takes what no other group could.
pub const OVERFLOW: &str = "(other lines)";

/// Lines of one template, and of one place in the source where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Message with `*` for what varies; [`OVERFLOW`] for the group of the rest.
    pub template: String,
    /// Form of the lines; that of the first one for the group of the rest.
    pub format: Format,
    /// Name of the logger.
    pub logger: Option<String>,
    /// Where they were written.
    pub caller: Option<Caller>,
    /// How many.
    pub count: usize,
    /// Which, by their position in what was grouped; ascending.
    pub members: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    format: Format,
    logger: Option<String>,
    caller: Option<(String, u32)>,
    template: String,
}

/// Groups lines by format, logger, caller and template.
#[derive(Debug)]
pub struct Templates {
    known: HashMap<Key, usize>,
    groups: Vec<Group>,
    overflow: Option<Group>,
    limit: usize,
}

impl Default for Templates {
    fn default() -> Self {
        Self::up_to(GROUPS_MAX)
    }
}

impl Templates {
    /// With another bound on the number of groups, the one for the rest not counted.
    #[must_use]
    pub fn up_to(limit: usize) -> Self {
        Self {
            known: HashMap::new(),
            groups: Vec::new(),
            overflow: None,
            limit,
        }
    }

    /// Groups all lines at once, in the order in which each group was first seen.
    pub fn group<'a>(lines: impl IntoIterator<Item = &'a ParsedLine>) -> Vec<Group> {
        let mut templates = Self::default();
        for (member, line) in lines.into_iter().enumerate() {
            templates.add(member, line);
        }
        templates.groups()
    }

    /// Adds a line under the number that the caller knows it by.
    pub fn add(&mut self, member: usize, line: &ParsedLine) {
        let key = Key {
            format: line.format,
            logger: line.logger.clone(),
            caller: line
                .caller
                .as_ref()
                .map(|caller| (caller.file.clone(), caller.line)),
            template: template(line),
        };
        let group = match self.known.get(&key) {
            Some(position) => self.groups.get_mut(*position),
            None if self.groups.len() < self.limit => {
                self.groups.push(new_group(key.template.clone(), line));
                self.known.insert(key, self.groups.len() - 1);
                self.groups.last_mut()
            }
            None => Some(self.overflow.get_or_insert_with(|| Group {
                logger: None,
                caller: None,
                ..new_group(OVERFLOW.to_owned(), line)
            })),
        };
        if let Some(group) = group {
            group.count += 1;
            group.members.push(member);
        }
    }

    /// The groups, that of the rest last.
    #[must_use]
    pub fn groups(self) -> Vec<Group> {
        self.groups.into_iter().chain(self.overflow).collect()
    }
}

fn new_group(template: String, line: &ParsedLine) -> Group {
    Group {
        template,
        format: line.format,
        logger: line.logger.clone(),
        caller: line.caller.clone(),
        count: 0,
        members: Vec::new(),
    }
}
