mod endpoints;
mod fixtures;
mod identity;
mod lists;
mod networks;
mod observed;
mod resources;
