//! Every pair of text and ground in the HTML report has the contrast of WCAG 2.2, level AA.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../src/html/page.css");

/// Text on ground, as the style sheet combines them.
const TEXTS: &[(&str, &str)] = &[
    ("ink", "paper"),
    ("ink", "ground"),
    ("ink", "good-wash"),
    ("ink", "bad-wash"),
    ("ink", "doubt-wash"),
    ("ink", "chart-wash"),
    ("paper", "ink"),
    ("faint", "paper"),
    ("faint", "ground"),
    ("good", "paper"),
    ("good", "good-wash"),
    ("bad", "paper"),
    ("bad", "bad-wash"),
    ("doubt", "paper"),
    ("doubt", "doubt-wash"),
    ("link", "paper"),
];

/// Signs and bars on ground.
const SHAPES: &[(&str, &str)] = &[("chart", "paper"), ("over", "paper"), ("chart", "ground")];

/// Success criterion 1.4.3, for text of any size.
const LEAST_TEXT: f64 = 4.5;

/// Success criterion 1.4.11.
const LEAST_SHAPE: f64 = 3.0;

/// The colours of one `:root` block, by name.
fn palette(block: &str) -> BTreeMap<&str, u32> {
    let block = block.split('}').next().unwrap_or_default();
    let colours = block.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
        let value = u32::from_str_radix(value.trim_end_matches(';'), 16);
        Some((name, value.expect("six digits")))
    });
    colours.collect()
}

/// Light and dark.
fn palettes() -> Vec<BTreeMap<&'static str, u32>> {
    STYLE.split(":root {").skip(1).map(palette).collect()
}

/// Relative luminance (WCAG 2.2, definitions).
fn luminance(colour: u32) -> f64 {
    let part = |shift: u32| {
        let value = f64::from(colour >> shift & 0xff) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
}

fn contrast(one: u32, other: u32) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_on_its_ground() {
    for palette in palettes() {
        for (pairs, least) in [(TEXTS, LEAST_TEXT), (SHAPES, LEAST_SHAPE)] {
            for (text, ground) in pairs {
                let contrast = contrast(palette[text], palette[ground]);
                assert!(contrast >= least, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn light_and_dark_name_the_same_colours() {
    let palettes = palettes();
    assert_eq!(palettes.len(), 2);
    let names = |at: usize| palettes[at].keys().collect::<Vec<_>>();
    assert_eq!(names(0), names(1));
}

#[test]
fn known_contrasts_are_right() {
    assert!((contrast(0xff_ff_ff, 0) - 21.0).abs() < 0.01);
    assert!((contrast(0x76_76_76, 0xff_ff_ff) - 4.54).abs() < 0.01);
}
