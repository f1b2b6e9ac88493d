//! What people and machines get to see, over the situations of a launch.

mod json;
mod pages;
mod properties;
mod sample_findings;
mod samples;
mod text;
