//! Drives the page in a headless browser: what it shows, in light and dark, on wide screens and narrow.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ohmyartifacts::printable;
use serde_json::Value;

use super::page::{HOSTILE, hostile_owner, hostile_story};
use super::story;
use crate::support::oma::{Oma, tell};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Returns the browser. A machine that runs everything must have one; elsewhere the tests say what they skip.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found =
        NAMES.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is none of {NAMES:?}, and CI must look at the page");
        tell(&format!("there is none of {NAMES:?}: the page is not looked at"));
    }
    found
}

#[derive(Clone, Copy, PartialEq)]
enum Scheme {
    Dark,
    Light,
}

fn run(browser: &Path, oma: &Oma, scheme: Scheme, words: &[&str], page: &str) -> String {
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--allow-file-access-from-files"])
        .arg(format!("--user-data-dir={}", oma.at("profile")))
        .arg(format!("--blink-settings=preferredColorScheme={}", i32::from(scheme == Scheme::Light)))
        .args(words)
        .arg(format!("file://{}", oma.at(page)))
        .env("HOME", oma.path("home"))
        .stdin(Stdio::null());
    let output = command.output().expect("the browser starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a document is text")
}

/// Shows the page in a frame of this width and returns what was seen.
fn look(browser: &Path, oma: &Oma, scheme: Scheme, width: u32) -> Value {
    oma.file("probe.html", include_str!("probe.html").replace("WIDTH", &width.to_string()));
    let document = run(browser, oma, scheme, &["--virtual-time-budget=10000", "--dump-dom"], "probe.html");
    let found = document.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found.unwrap_or_else(|| panic!("nothing was found: {document}")).0;
    serde_json::from_str(found).unwrap_or_else(|error| panic!("{error}: {document}"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("text")).collect()
}

#[test]
fn it_fits_and_reads_well_everywhere() {
    let Some(browser) = browser() else { return };
    let oma = story();
    oma.ok(&["report", "-o", "report.html"]);
    for (scheme, width) in [(Scheme::Light, 1_200), (Scheme::Dark, 1_200), (Scheme::Light, 360), (Scheme::Dark, 360)] {
        let seen = look(&browser, &oma, scheme, width);
        assert_eq!((&seen["width"], &seen["inner"]), (&width.into(), &width.into()), "it is as wide as the screen");
        assert_eq!(texts(&seen["outside"]), [""; 0], "what sticks out at {width}");
        assert_eq!((&seen["scripts"], &seen["loaded"]), (&0.into(), &0.into()));
        let headings = ["Who has what", "Owners", "Sharing", "Ages", "What gc would free", "Largest artifacts"];
        assert_eq!(texts(&seen["headings"]), headings);
        assert_eq!(texts(&seen["pictures"]), [if width > 700 { "wide" } else { "narrow" }]);
        let light = seen["ground"][0].as_u64().unwrap();
        assert!(if scheme == Scheme::Light { light > 220 } else { light < 40 }, "{seen:#}");
        assert!(seen["written"].as_u64() > Some(100));
        assert!(seen["faint"][0].as_f64() >= Some(4.5), "text that is hard to read: {}", seen["faint"]);
    }
}

#[test]
fn areas_are_as_large_as_what_they_stand_for() {
    let Some(browser) = browser() else { return };
    let oma = story();
    oma.ok(&["report", "-o", "report.html"]);
    let report = oma.json(&["report"]);
    let stored = report["stored_bytes"].as_f64().unwrap();
    for width in [1_200, 360] {
        let seen = look(&browser, &oma, Scheme::Light, width);
        assert_eq!(texts(&seen["owners"]), ["zoo@1.2", "plots", "iris"]);
        assert_eq!(seen["hatched"], 1, "one orphan is due");
        let cells = seen["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 8);
        let mut whole = 0.0;
        for owner in report["owners"].as_array().unwrap() {
            for held in owner["holds"].as_array().unwrap() {
                let line = format!("\n{}\n", texts(&held["names"]).join(", "));
                let key = owner["owner"].as_str().unwrap();
                let is_it = |title: &str| title.starts_with(key) && title.contains(&line);
                let cell = cells.iter().find(|cell| is_it(cell["title"].as_str().unwrap())).expect("a cell");
                let (part, wanted) = (cell["part"].as_f64().unwrap(), held["fair_bytes"].as_f64().unwrap() / stored);
                assert!((part - wanted).abs() < 0.003, "{line:?} has {part} of the picture, not {wanted}");
                whole += part;
            }
        }
        let unowned = report["orphan_bytes"].as_f64().unwrap() / stored;
        assert!((whole + unowned - 1.0).abs() < 0.01, "{whole} and {unowned}");
    }
}

#[test]
fn hostile_names_are_shown_as_they_are() {
    let Some(browser) = browser() else { return };
    let oma = hostile_story();
    oma.ok(&["report", "-o", "report.html"]);
    let seen = look(&browser, &oma, Scheme::Light, 360);
    let mut owners: Vec<String> = texts(&seen["owners"]).into_iter().map(str::to_owned).collect();
    owners.sort();
    let mut expected: Vec<String> = HOSTILE.iter().map(|name| printable(hostile_owner(name).as_bytes())).collect();
    expected.sort();
    assert_eq!(owners, expected);
    assert_eq!((&seen["scripts"], &seen["loaded"], &seen["width"]), (&0.into(), &0.into(), &360.into()));
}

/// Returns the colour in the corner of a picture of the page.
fn corner(browser: &Path, oma: &Oma, scheme: Scheme) -> [u8; 3] {
    let file = oma.path("page.png");
    let shot = format!("--screenshot={}", file.display());
    run(browser, oma, scheme, &["--window-size=900,700", &shot], "report.html");
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).expect("a picture")));
    let mut reader = decoder.read_info().expect("a picture");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a small picture")];
    reader.next_frame(&mut pixels).expect("a whole picture");
    [pixels[0], pixels[1], pixels[2]]
}

#[test]
fn dark_screens_get_a_dark_page() {
    let Some(browser) = browser() else { return };
    let oma = story();
    oma.ok(&["report", "-o", "report.html"]);
    let (light, dark) = (corner(&browser, &oma, Scheme::Light), corner(&browser, &oma, Scheme::Dark));
    assert!(light.iter().all(|part| *part > 220), "{light:?}");
    assert!(dark.iter().all(|part| *part < 40), "{dark:?}");
}
