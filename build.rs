//! Makes the list of the built-in providers from their folder, so that to add one is to add its file.

#![expect(clippy::expect_used, reason = "a build that cannot read its own sources has to stop")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const PROVIDERS: &str = "src/providers";
const SAMPLES: &str = "fixtures/providers";

fn main() {
    println!("cargo::rerun-if-changed={PROVIDERS}");
    println!("cargo::rerun-if-changed={SAMPLES}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let mut list = String::from("&[\n");
    for path in files(&root.join(PROVIDERS)).iter().filter(|path| path.extension().is_some_and(|ext| ext == "yaml")) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a provider's name is text");
        let folder = root.join(SAMPLES).join(name);
        writeln!(list, "    BuiltIn {{ name: {name:?}, yaml: include_str!({path:?}), files: &[")
            .expect("a string grows");
        for file in files(&folder) {
            let name = file.file_name().and_then(|name| name.to_str()).expect("a sample's name is text");
            writeln!(list, "        ({name:?}, include_str!({file:?})),").expect("a string grows");
        }
        list.push_str("    ] },\n");
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write")).join("providers.rs");
    fs::write(out, list).expect("what is made can be written");
}

/// The files of a folder in the order of their names; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    // By the name alone: `adyen` stands before `adyen-platform`.
    files.sort_by_key(|path| path.file_stem().map(ToOwned::to_owned));
    files
}
