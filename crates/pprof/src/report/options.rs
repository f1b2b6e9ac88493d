//! What a person may ask of a report: google/pprof's configuration.

use super::Zone;

/// What one row or node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// A function, by name.
    Functions,
    /// A function in its file.
    FileFunctions,
    /// A source file.
    Files,
    /// A source line.
    Lines,
    /// An address.
    Addresses,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Own value.
    #[default]
    Flat,
    /// Value with that of callees.
    Cum,
}

/// The options of `go tool pprof`, by their names there; regular expressions
/// are Go's, empty is "not given".
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that people know"
)]
pub struct Options {
    /// Places reached through different paths are different nodes (dot, callgrind).
    pub call_tree: bool,
    /// Percentages are of what the filters leave.
    pub relative_percentages: bool,
    /// The unit of values: `minimum`, `auto` or a unit's name.
    pub unit: String,
    /// Leaves out the head with file, type and time.
    pub compact_labels: bool,
    /// Where source files are searched, separated by colons.
    pub source_path: String,
    /// Prefixes cut from source paths, separated by colons.
    pub trim_path: String,
    /// Values are divided by the first value of the sample.
    pub mean: bool,
    /// The sample type, by name or place; empty is the profile's default.
    pub sample_index: String,
    /// All values are divided by this.
    pub divide_by: f64,
    /// Order of rows.
    pub sort: Sort,
    /// Labels that become frames at the root, separated by commas.
    pub tag_root: String,
    /// Labels that become frames at the leaf, separated by commas.
    pub tag_leaf: String,
    /// Leaves out nodes with a negative value.
    pub drop_negative: bool,
    /// Most nodes shown; -1 is the command's default, 0 all.
    pub node_count: i64,
    /// Nodes below this share are dropped.
    pub node_fraction: f64,
    /// Edges below this share are dropped.
    pub edge_fraction: f64,
    /// False turns the three limits above off.
    pub trim: bool,
    /// Keeps samples with a matching frame.
    pub focus: String,
    /// Drops samples with a matching frame.
    pub ignore: String,
    /// Drops what matching frames call.
    pub prune_from: String,
    /// Drops matching frames.
    pub hide: String,
    /// Keeps matching frames only.
    pub show: String,
    /// Drops frames above the highest match.
    pub show_from: String,
    /// Keeps samples with a matching label: expression, range or `key=…`.
    pub tag_focus: String,
    /// Drops samples with a matching label.
    pub tag_ignore: String,
    /// Keeps labels with matching names only.
    pub tag_show: String,
    /// Drops labels with matching names.
    pub tag_hide: String,
    /// Counts inlined calls for the function they were inlined into.
    pub no_inlines: bool,
    /// Shows column numbers.
    pub show_columns: bool,
    /// Shows functions without the directories of their package, as far as they stay apart.
    pub short_names: bool,
    /// What a row stands for; the default is the command's.
    pub granularity: Option<Granularity>,
    /// The zone that times are shown in.
    pub zone: Zone,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            call_tree: false,
            relative_percentages: false,
            unit: "minimum".to_owned(),
            compact_labels: false,
            source_path: String::new(),
            trim_path: String::new(),
            mean: false,
            sample_index: String::new(),
            divide_by: 1.0,
            sort: Sort::Flat,
            tag_root: String::new(),
            tag_leaf: String::new(),
            drop_negative: false,
            node_count: -1,
            node_fraction: 0.005,
            edge_fraction: 0.001,
            trim: true,
            focus: String::new(),
            ignore: String::new(),
            prune_from: String::new(),
            hide: String::new(),
            show: String::new(),
            show_from: String::new(),
            tag_focus: String::new(),
            tag_ignore: String::new(),
            tag_show: String::new(),
            tag_hide: String::new(),
            no_inlines: false,
            show_columns: false,
            short_names: false,
            granularity: None,
            zone: Zone::default(),
        }
    }
}
