//! Wrong command lines, told in one sentence.

use std::io::{self, Write};

use clap::error::ErrorKind;

/// Shows the help or version that was asked for, or says in one sentence what is wrong with the arguments of
/// `program`.
///
/// # Errors
///
/// The sentence.
pub fn explain(error: &clap::Error, program: &str) -> Result<(), String> {
    let text = error.to_string();
    let complaint = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away is not an error.
            let _ = write!(io::stdout(), "{text}");
            return Ok(());
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command was named".to_owned(),
        _ => first_paragraph(&text),
    };
    Err(format!("{complaint}; `{program} --help` lists what there is"))
}

/// What clap has to say in one line, without the usage and tips that come after it.
#[must_use]
pub fn sentence(error: &clap::Error) -> String {
    first_paragraph(&error.to_string())
}

fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}
