require ["ihave", "fileinto"];
if ihave "variables" { discard; }
if ihave ["copy", "encoded-character"] { discard; }
if header :contains "subject" "${x}" { discard; }
