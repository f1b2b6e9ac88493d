//! What people and machines get to see, over the situations of a launch.

mod contrast;
mod html;
mod json;
mod pages;
mod poison;
mod properties;
mod sample_findings;
mod samples;
mod text;
