require ["ihave", "fileinto", "variables"];
if ihave "vnd.example.no" { nothing :at "all" { of "this"; } }
if not ihave ["fileinto", "vnd.example.no"] { fileinto :unknown "x" "y"; }
