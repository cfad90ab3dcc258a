require ["vacation", "fcc", "variables"];
set "nothing" "";
vacation :fcc "${nothing}" "x";
