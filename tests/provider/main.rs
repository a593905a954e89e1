//! The provider client against small servers on the loopback interface, each of which answers as the
//! test tells it to and remembers what it was asked.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod held_back;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tokens;
