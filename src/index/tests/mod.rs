mod endpoints;
mod fixtures;
mod identity;
mod inventory;
mod lists;
mod networks;
mod observed;
mod resources;
