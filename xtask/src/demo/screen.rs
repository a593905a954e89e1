//! What the demo shows, on stdout: in colour on a terminal, in plain lines elsewhere.

use std::fmt::Display;
use std::io::{Stdout, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const COMMAND: Style = Style::new().bold();
const OUTPUT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// The person who watches.
pub(crate) struct Screen {
    out: AutoStream<Stdout>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { out: anstream::stdout() }
    }

    /// The title of the whole.
    pub(crate) fn title(&mut self, text: &str) {
        self.line("", HEADING, "", text);
    }

    /// A step begins.
    pub(crate) fn heading(&mut self, number: usize, title: &str, why: &str) {
        self.blank();
        self.line("", HEADING, format_args!("{number}. "), title);
        for line in why.lines() {
            self.say(line);
        }
    }

    /// A plain sentence.
    pub(crate) fn say(&mut self, text: impl Display) {
        self.line("   ", Style::new(), "", text);
    }

    /// A command, as it is typed; a long one over several lines.
    pub(crate) fn command(&mut self, typed: &str) {
        let mut lines = wrapped(typed).into_iter();
        self.line("   ", COMMAND, "$ ", lines.next().unwrap_or_default());
        for line in lines {
            self.line("       ", COMMAND, "", line);
        }
    }

    /// A command for the person to copy, on one line.
    pub(crate) fn advice(&mut self, command: impl Display) {
        self.line("   ", COMMAND, "$ ", command);
    }

    /// What happens elsewhere.
    pub(crate) fn event(&mut self, text: impl Display) {
        self.line("   ", COMMAND, "» ", text);
    }

    /// A command's output.
    pub(crate) fn output(&mut self, text: &str) {
        for line in text.lines() {
            self.line("     ", OUTPUT, "", line);
        }
    }

    /// A fact that was checked.
    pub(crate) fn checked(&mut self, fact: impl Display) {
        self.line("   ", GOOD, format_args!("✓{GOOD:#} "), fact);
    }

    /// What was refused, or is not as it should be.
    pub(crate) fn bad(&mut self, fact: impl Display) {
        self.line("   ", BAD, format_args!("✗{BAD:#} "), fact);
    }

    pub(crate) fn blank(&mut self) {
        self.line("", Style::new(), "", "");
    }

    /// A reader that went away is not an error: the demo still ends as it should.
    fn line(&mut self, indent: &str, style: Style, mark: impl Display, text: impl Display) {
        let _ = writeln!(self.out, "{indent}{style}{mark}{text}{style:#}");
        let _ = self.out.flush();
    }
}

/// How long a line of a command gets, indentation aside.
const WIDTH: usize = 88;

/// A command in lines that a shell reads as one. Words in quotes are not broken.
fn wrapped(command: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut quoted = false;
    for word in command.split(' ') {
        let line = lines.len() - 1;
        let length = lines[line].chars().count() + word.chars().count();
        if length > WIDTH && !quoted && !lines[line].is_empty() {
            lines[line].push_str(" \\");
            lines.push(word.to_owned());
        } else {
            if !lines[line].is_empty() {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
        quoted ^= word.matches('\'').count() % 2 == 1;
    }
    lines
}

/// The beginning of a secret: enough to recognise it, too little to use it.
pub(crate) fn masked(secret: &str) -> String {
    let beginning: String = secret.chars().take(9).collect();
    format!("{beginning}{}", "•".repeat(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_stays_one_command() {
        let a = "a".repeat(50);
        assert_eq!(wrapped("kubectl get whe"), ["kubectl get whe"]);
        assert_eq!(wrapped(&format!("kubectl {a} {a} -p")), [format!("kubectl {a} \\"), format!("{a} -p")]);
        assert_eq!(wrapped(&format!("kubectl '{a} {a}'")), [format!("kubectl '{a} {a}'")]);
    }
}
