mod endpoints;
mod fixtures;
mod lists;
mod networks;
mod observed;
mod resources;
