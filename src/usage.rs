//! Wrong command lines, told in one sentence.

use std::io::{self, Write as _};

use clap::error::ErrorKind;

/// Shows the help or the version that was asked for, or says what is wrong with the arguments.
///
/// # Errors
///
/// One sentence that says what is wrong.
pub(crate) fn explain(error: &clap::Error) -> Result<(), String> {
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
    Err(format!("{complaint}; `webhook-operator help` lists what there is"))
}

/// The first paragraph of clap's message as one line; the usage and tips after it are left out.
fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}
