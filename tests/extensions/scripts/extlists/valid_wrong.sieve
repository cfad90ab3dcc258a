require "extlists";
if valid_ext_list "family" { discard; }
