import io.trino.sql.parser.SqlParser;
import io.trino.sql.tree.CreateView;
import io.trino.sql.tree.Statement;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.hive.ql.parse.ASTNode;
import org.apache.hadoop.hive.ql.parse.ParseDriver;

/**
 * Reads statements from standard input, a NUL between them, and has each parsed by the grammar that Athena
 * uses for it: Hive's for CREATE DATABASE and CREATE EXTERNAL TABLE, Trino's for views. Prints a line for each
 * with what the parser saw, or what is wrong with it; ends with 1 where one was refused.
 */
public class Check {
    public static void main(String[] args) throws Exception {
        String all = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        boolean refused = false;
        for (String one : all.split("\0")) {
            String opening = one.substring(0, Math.min(60, one.length())).replace('\n', ' ');
            try {
                System.out.println(one.contains(" VIEW ") && !one.contains("EXTERNAL TABLE") ? view(one) : ddl(one));
            } catch (Exception e) {
                refused = true;
                System.out.println("refused: " + opening + ": " + e.getMessage());
            }
        }
        System.exit(refused ? 1 : 0);
    }

    private static String view(String sql) {
        Statement statement = new SqlParser().createStatement(sql);
        if (!(statement instanceof CreateView)) {
            throw new IllegalArgumentException("not a view: " + statement.getClass().getSimpleName());
        }
        return "view " + ((CreateView) statement).getName();
    }

    private static String ddl(String sql) throws Exception {
        ASTNode tree = new ParseDriver().parse(sql);
        while (tree.getToken() == null) {
            tree = (ASTNode) tree.getChild(0);
        }
        return tree.getToken().getText() + " " + tree.getChild(0).toStringTree();
    }
}
